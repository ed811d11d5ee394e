//! Another configuration for a proxy that is at work: calls, registrations and connections stay.

use crate::authentication::Authenticator;
use crate::config::{Config, Role};
use crate::flow_token::FlowTokens;
use crate::proxy::{Proxy, timers};
use crate::registrar::address_of_record::OwnHosts;
use crate::reply::Replies;

impl Proxy {
    /// Takes another configuration. Requests in progress go on as they began; those that come from now on are judged
    /// by the new one. Who is banned is heard again.
    ///
    /// Each of several event loops is to be told, as soon as the first one is.
    ///
    /// The listeners stay, for sockets are not opened here; and an edge stays one, as a registrar does.
    pub fn reconfigure(&mut self, config: Config) {
        let mut config = Config { listeners: core::mem::take(&mut self.config.listeners), ..config };
        let same_role = matches!(
            (&self.config.role, &config.role),
            (Role::AllInOne, Role::AllInOne) | (Role::Edge { .. }, Role::Edge { .. })
        );
        if !same_role {
            config.role = self.config.role.clone();
        }
        self.own = OwnHosts::new(&config, &self.common);
        self.listeners.rename(&config);
        self.replies = Replies::new(self.key.clone(), &config.server_name);
        self.authenticator = Authenticator::new(&config.authentication, self.key.sign(b"nonces", &[]));
        self.common.0.scanners.forget_all();
        self.transactions.set_timers(timers(&config));
        self.location.regrace(config.registrar.flow_grace);
        if config.flow_tokens != self.config.flow_tokens {
            self.tokens = FlowTokens::new(self.key.clone(), self.common.0.boot, config.flow_tokens);
            self.tokens.turn(self.now);
        }
        self.config = config;
        self.upstream_addresses.clear();
        self.look_for_upstream();
        self.take_trunks();
    }
}
