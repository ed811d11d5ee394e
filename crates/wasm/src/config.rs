//! Reading the configuration and the settings (`writeConfig` and `writeSettings` in `core.ts`).

use crate::reader::Reader;
use agent::{Config, Listens, RefreshMethod, ReliableProvisional, Settings};
use core::time::Duration;

pub(crate) fn config(words: &mut Reader<'_>) -> Config {
    let mut config = Config::new("");
    config.uri = words.text();
    config.contact_uri = words.optional();
    config.via_host = words.optional();
    config.instance_id = words.optional();
    config.registrar_server = words.optional();
    config.register_expires = words.number();
    config.register_from_tag_trail = words.text();
    config.preloaded_route = words.optional();
    config.session_timers = words.flag();
    config.refresh_method = if words.flag() { RefreshMethod::Invite } else { RefreshMethod::Update };
    config.force_refresher = words.flag();
    config.reliable_provisional = match words.byte() {
        0 => ReliableProvisional::Unsupported,
        1 => ReliableProvisional::Supported,
        _ => ReliableProvisional::Required,
    };
    config.no_answer_timeout = Duration::from_secs(u64::from(words.number()));
    config.user_agent = words.text();
    config.settings = settings(words);
    config.flows = words.byte();
    config
}

pub(crate) fn settings(words: &mut Reader<'_>) -> Settings {
    Settings {
        authorization_user: words.optional(),
        password: words.optional(),
        ha1: words.optional(),
        realm: words.optional(),
        authorization_jwt: words.optional(),
        display_name: words.optional(),
        extra_headers: words.headers(),
        register_extra_headers: words.headers(),
        register_contact_parameters: words.text(),
        listens: listens(words.byte()),
        refreshes_registration: words.flag(),
    }
}

const fn listens(bits: u8) -> Listens {
    Listens {
        calls: bits & 1 != 0,
        messages: bits & 2 != 0,
        options: bits & 4 != 0,
        subscriptions: bits & 8 != 0,
        others: bits & 16 != 0,
        refers: bits & 32 != 0,
    }
}
