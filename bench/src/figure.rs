//! A figure over several runs.

/// Median, least and most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Figure {
    /// Of all `runs`.
    pub(crate) fn of<R>(runs: &[R], figure: impl Fn(&R) -> f64) -> Self {
        let mut all: Vec<f64> = runs.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        let at = |place: usize| all.get(place).copied().unwrap_or(f64::NAN);
        let middle = all.len() / 2;
        let median = if all.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(at(middle - 1), at(middle))
        } else {
            at(middle)
        };
        Self { median, least: at(0), most: at(all.len().saturating_sub(1)) }
    }

    /// As a table shows it where all runs mostly agree.
    pub(crate) fn short(&self, digits: usize) -> String {
        if self.least == self.most { format!("{:.digits$}", self.median) } else { self.cell(digits) }
    }

    /// As a table shows it.
    pub(crate) fn cell(&self, digits: usize) -> String {
        format!("{:.digits$} ({:.digits$} to {:.digits$})", self.median, self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_runs_lies_between_the_two_in_the_middle() {
        assert_eq!(Figure::of(&[9.0, 1.0, 4.0, 2.0], |run| *run).cell(1), "3.0 (1.0 to 9.0)");
        assert_eq!(Figure::of(&[9.0, 1.0, 4.0], |run| *run).cell(1), "4.0 (1.0 to 9.0)");
    }
}
