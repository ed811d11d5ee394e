//! A line chart as SVG: enough for what is measured here, readable on a light and on a dark page.

use std::fmt::Write as _;

/// Size of the picture, and of what stands around the field of the lines.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 172.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 52.0;
/// Space that a name at the end of a line takes.
const NAME_HEIGHT: f64 = 16.0;
/// Told apart by people who see no red or no green, too.
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00"];

/// One line.
pub(crate) struct Series {
    /// Its name.
    pub(crate) name: String,
    /// Where it goes, from left to right: x, y, and the least and the most of y.
    pub(crate) points: Vec<(f64, f64, f64, f64)>,
}

/// A picture.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    pub(crate) y: &'a str,
    /// x by its logarithm.
    pub(crate) logarithmic: bool,
    pub(crate) series: Vec<Series>,
}

impl Chart<'_> {
    /// The picture; nothing if there is nothing to show.
    pub(crate) fn draw(&self) -> Option<String> {
        let all: Vec<&(f64, f64, f64, f64)> = self.series.iter().flat_map(|series| &series.points).collect();
        let most =
            |of: fn(&(f64, f64, f64, f64)) -> f64| all.iter().map(|it| of(it)).fold(f64::NAN, f64::max);
        let (low, high) = (all.iter().map(|it| it.0).fold(f64::NAN, f64::min), most(|it| it.0));
        let step = round_step(most(|it| it.3) / 5.0);
        if !(low.is_finite() && step.is_finite() && step > 0.0) {
            return None;
        }
        let top = (most(|it| it.3) / step).ceil() * step;
        let low = if self.logarithmic { low } else { 0.0 };
        let place_x = |x: f64| {
            let part = if self.logarithmic {
                (x / low).ln() / (high / low).ln().max(f64::MIN_POSITIVE)
            } else {
                x / high
            };
            LEFT + part * (WIDTH - LEFT - RIGHT)
        };
        let place_y = |y: f64| HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM);

        let mut text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{0}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"24\" font-size=\"16\" font-weight=\"bold\" fill=\"#222222\">{0}</text>\n",
            escape(self.title)
        );
        self.draw_axes(&mut text, &ticks(self.logarithmic, &all, high), step, top, &place_x, &place_y);
        let mut names: Vec<(f64, usize)> = Vec::new();
        for (number, series) in self.series.iter().enumerate().filter(|(_, series)| !series.points.is_empty())
        {
            let colour = COLOURS[number % COLOURS.len()];
            let places: Vec<String> =
                series.points.iter().map(|it| format!("{:.1},{:.1}", place_x(it.0), place_y(it.1))).collect();
            let _ = writeln!(
                text,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
                places.join(" ")
            );
            for (x, y, least, greatest) in &series.points {
                let x = place_x(*x);
                let _ = writeln!(
                    text,
                    "<path d=\"M{x:.1} {:.1}V{:.1}\" stroke=\"{colour}\"/><circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"3.5\" \
                     fill=\"{colour}\"/>",
                    place_y(*least),
                    place_y(*greatest),
                    place_y(*y)
                );
            }
            names.extend(series.points.last().map(|last| (place_y(last.1), number)));
        }
        self.draw_names(&mut text, names);
        text.push_str("</svg>\n");
        Some(text)
    }

    fn draw_axes(
        &self,
        text: &mut String,
        ticks: &[f64],
        step: f64,
        top: f64,
        place_x: &dyn Fn(f64) -> f64,
        place_y: &dyn Fn(f64) -> f64,
    ) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let mut y = 0.0;
        while y <= top + step / 2.0 {
            let at = place_y(y);
            let _ = writeln!(
                text,
                "<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" \
                 fill=\"#444444\">{}</text>",
                LEFT - 8.0,
                at + 4.5,
                number(y)
            );
            y += step;
        }
        for x in ticks {
            let at = place_x(*x);
            let _ = writeln!(
                text,
                "<path d=\"M{at:.1} {bottom}v5\" stroke=\"#444444\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
                 fill=\"#444444\">{}</text>",
                bottom + 19.0,
                number(*x)
            );
        }
        let middle = f64::midpoint(LEFT, right);
        let _ = writeln!(
            text,
            "<path d=\"M{LEFT} {bottom}H{right}\" stroke=\"#444444\"/>\n<text x=\"{middle:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\" fill=\"#222222\">{}</text>\n<text x=\"{LEFT}\" y=\"40\" fill=\"#222222\">{}</text>",
            HEIGHT - 12.0,
            escape(self.x),
            escape(self.y)
        );
    }

    /// The names at the ends of their lines, none above another.
    fn draw_names(&self, text: &mut String, mut names: Vec<(f64, usize)>) {
        names.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut free = TOP;
        // What is pushed down must not leave the picture: the lowest names are moved up first.
        let count = names.len() as f64;
        for (place, (y, number)) in names.iter().enumerate() {
            let lowest = HEIGHT - BOTTOM - (count - 1.0 - place as f64) * NAME_HEIGHT;
            let y = y.max(free).min(lowest);
            free = y + NAME_HEIGHT;
            let _ = writeln!(
                text,
                "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"{}\" font-weight=\"bold\">{}</text>",
                WIDTH - RIGHT + 10.0,
                y + 4.5,
                COLOURS[number % COLOURS.len()],
                escape(&self.series[*number].name)
            );
        }
    }
}

/// The x under which numbers stand: all that were measured, but none too near to the one before.
fn ticks(logarithmic: bool, points: &[&(f64, f64, f64, f64)], high: f64) -> Vec<f64> {
    let mut all: Vec<f64> = points.iter().map(|point| point.0).collect();
    all.sort_by(f64::total_cmp);
    let low = all.first().copied().unwrap_or(high);
    let mut ticks: Vec<f64> = Vec::new();
    for x in all {
        let apart =
            |last: &f64| if logarithmic { (x / last).ln() / (high / low).ln() } else { (x - last) / high };
        if ticks.last().is_none_or(|last| apart(last) > 0.08) {
            ticks.push(x);
        }
    }
    ticks
}

/// 1, 2 or 5 of some power of ten, not less than `least`.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= least).unwrap_or(f64::NAN)
}

/// With a comma between thousands.
fn number(value: f64) -> String {
    if value < 1000.0 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_numbers_are_those_that_people_use() {
        assert_eq!([0.3, 7.0, 44.0, 100.0].map(round_step), [0.5, 10.0, 50.0, 100.0]);
        assert_eq!([0.25, 500.0, 19_000.0, 1e6].map(number), ["0.25", "500", "19,000", "1,000,000"]);
    }

    #[test]
    fn numbers_under_the_picture_do_not_run_into_each_other() {
        let points = [100.0, 1_000.0, 8_000.0, 10_000.0].map(|x| (x, 0.0, 0.0, 0.0));
        let points: Vec<_> = points.iter().collect();
        assert_eq!(ticks(true, &points, 10_000.0), [100.0, 1_000.0, 8_000.0]);
        assert_eq!(ticks(false, &points, 10_000.0), [100.0, 1_000.0, 8_000.0, 10_000.0]);
    }

    #[test]
    fn nothing_measured_is_no_picture() {
        let chart = Chart { title: "", x: "", y: "", logarithmic: true, series: Vec::new() };
        assert_eq!(chart.draw(), None);
    }

    #[test]
    fn names_at_the_same_height_are_drawn_apart() {
        let series = |name: &str| Series {
            name: name.to_owned(),
            points: vec![(1.0, 5.0, 5.0, 5.0), (10.0, 5.0, 5.0, 5.0)],
        };
        let chart = Chart {
            title: "a & b",
            x: "x",
            y: "y",
            logarithmic: true,
            series: vec![series("first"), series("second")],
        };
        let text = chart.draw().unwrap();
        let height = |name: &str| {
            let line = text.lines().find(|line| line.contains(name)).unwrap();
            line.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(text.contains("a &amp; b") && height("second") - height("first") >= NAME_HEIGHT);
    }
}
