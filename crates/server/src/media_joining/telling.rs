//! What the log is told of the media of calls.

use media::{CallKey, Event, Side};

use super::MediaPlace;
use crate::log;

/// Writes a line of the log about what happened.
pub(super) fn tell(event: &Event) {
    match event {
        Event::BrowserConnected { call, browser } => {
            log::debug(format!("media of call {}: the browser is connected from {browser}", name(call)));
        }
        Event::MediaFlows { call, from, .. } => {
            let side = if *from == Side::Browser { "browser" } else { "phone" };
            log::debug(format!("media of call {}: sound from the {side}", name(call)));
        }
        Event::Digit { call, .. } => {
            // Which one is nobody's business: it may be part of a secret number.
            log::debug(format!("media of call {}: the phone pressed a key", name(call)));
        }
        Event::PictureWanted { call, .. } => {
            let name = name(call);
            log::debug(format!(
                "media of call {name}: the browser wants a whole picture, and the phone has no feedback in RTCP"
            ));
        }
        Event::Failed { call, cause, .. } => {
            log::warning(format!("media of call {}: {}: {cause}", name(call), cause.code()));
        }
        Event::Ended { call, report } => {
            log::info(format!("media of call {}: {}", name(call), sentence(report)));
        }
    }
}

/// Says at the start what may surprise later.
pub(super) fn tell_place(place: &MediaPlace) {
    if let Some(address) = place.private_address() {
        log::warning(format!(
            "NET-PRIVATE-ADVERTISED: browsers and phones are told to send sound to {address}, which only this network \
             reaches; if any are elsewhere, set media.public_address"
        ));
    }
}

/// The Call-ID, as the other lines of the log have it.
pub(super) fn name(call: &CallKey) -> String {
    let call_id = call.as_bytes().split(|octet| *octet == 0).next().unwrap_or_default();
    log::Escaped(&call_id[..call_id.len().min(12)]).to_string()
}

fn sentence(report: &media::CallReport) -> String {
    let codec = report.codec.unwrap_or("no codec");
    let leg = |received: &media::ReceptionFigures, sent: &media::Traffic, dropped: u64| {
        let dropped = if dropped == 0 { String::new() } else { format!(", {dropped} dropped") };
        format!(
            "{} packets in ({} lost, jitter {} ms), {} out{dropped}",
            received.traffic.packets,
            received.lost,
            received.jitter.as_millis(),
            sent.packets
        )
    };
    let over = if report.browser.transport == Some(media::IceTransport::Tcp) { " over TCP" } else { "" };
    if let Some(caller) = &report.caller {
        let mut sentence = format!(
            "{codec} for {} s; caller {}; callee {}",
            report.duration.as_secs(),
            leg(&caller.received, &caller.sent, caller.dropped),
            leg(&report.phone.received, &report.phone.sent, report.phone.dropped)
        );
        if let Some(cause) = report.cause {
            sentence.push_str(&format!("; {}: {cause}", cause.code()));
        }
        return sentence;
    }
    let mut sentence = format!(
        "{codec} for {} s; browser{over} {}; phone {}",
        report.duration.as_secs(),
        leg(&report.browser.received, &report.browser.sent, report.browser.dropped),
        leg(&report.phone.received, &report.phone.sent, report.phone.dropped)
    );
    if let Some(video) = &report.video {
        sentence.push_str(&format!(
            "; {} pictures: browser {}; phone {}; asked for a whole one: browser {}, phone {}",
            video.codec.unwrap_or("no"),
            leg(&video.browser.received, &video.browser.sent, 0),
            leg(&video.phone.received, &video.phone.sent, video.phone.dropped),
            video.asked_of_browser,
            video.asked_of_phone
        ));
    }
    if let Some(cause) = report.cause {
        sentence.push_str(&format!("; {}: {cause}", cause.code()));
    }
    sentence
}
