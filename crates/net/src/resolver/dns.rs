//! Records from the hosts file and from name servers. The only module that knows hickory.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, ResolverBuilder, TokioResolver};

use super::ResolveError;
use super::selection::{Naptr, Records, Srv};

/// How long one name server may take to answer; the whole resolution has its own bound.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(super) struct Dns {
    /// `None` if the system has no name servers that we can read.
    resolver: Option<TokioResolver>,
    hosts: Hosts,
}

impl Dns {
    /// The system's name servers and hosts file.
    pub(super) fn system() -> Self {
        Self::build(TokioResolver::builder_tokio())
    }

    /// These name servers, and the system's hosts file.
    pub(super) fn with_servers(servers: &[SocketAddr]) -> Self {
        let servers = servers
            .iter()
            .map(|server| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
                    .into_iter()
                    .map(|mut connection| {
                        connection.port = server.port();
                        connection
                    })
                    .collect();
                NameServerConfig::new(server.ip(), true, connections)
            })
            .collect();
        let config = ResolverConfig::from_name_servers(servers);
        Self::build(Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())))
    }

    /// Nobody to ask, and no hosts.
    #[cfg(test)]
    pub(super) fn without_hosts() -> Self {
        Self { resolver: None, hosts: Hosts::default() }
    }

    fn build(builder: Result<ResolverBuilder<TokioRuntimeProvider>, NetError>) -> Self {
        let resolver = builder.and_then(|mut builder| {
            builder.options_mut().timeout = PATIENCE;
            builder.options_mut().attempts = 1;
            builder.build()
        });
        Self { resolver: resolver.ok(), hosts: Hosts::from_system().unwrap_or_default() }
    }

    /// Records of one kind, also none; an error if nobody knows.
    async fn lookup(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, ResolveError> {
        let name = absolute(name)?;
        let Some(resolver) = &self.resolver else { return Err(ResolveError::Unanswered) };
        match resolver.lookup(name, kind).await {
            Ok(lookup) => Ok(lookup.answers().iter().map(|record| record.data.clone()).collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(_) => Err(ResolveError::Unanswered),
        }
    }
}

impl Records for Dns {
    fn hosts(&self, name: &str) -> Vec<IpAddr> {
        let Ok(name) = absolute(name) else { return Vec::new() };
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|lookup| {
                lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
            })
            .collect()
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, ResolveError> {
        let (four, six) = tokio::join!(self.lookup(name, RecordType::A), self.lookup(name, RecordType::AAAA));
        match (four, six) {
            (Err(error), Err(_)) => Err(error),
            // One answer that did not come may be the one with the address: that is not known to be none.
            (Err(error), Ok(none)) | (Ok(none), Err(error)) if none.is_empty() => Err(error),
            (four, six) => Ok(four
                .unwrap_or_default()
                .into_iter()
                .chain(six.unwrap_or_default())
                .filter_map(|data| data.ip_addr())
                .collect()),
        }
    }

    async fn services(&self, name: &str) -> Result<Vec<Srv>, ResolveError> {
        let records = self.lookup(name, RecordType::SRV).await?;
        Ok(records
            .into_iter()
            .filter_map(|data| match data {
                RData::SRV(srv) => Some(Srv {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    target: srv.target.to_ascii(),
                }),
                _ => None,
            })
            .collect())
    }

    async fn pointers(&self, name: &str) -> Result<Vec<Naptr>, ResolveError> {
        let records = self.lookup(name, RecordType::NAPTR).await?;
        Ok(records
            .into_iter()
            .filter_map(|data| match data {
                RData::NAPTR(naptr) => Some(Naptr {
                    order: naptr.order,
                    preference: naptr.preference,
                    flags: naptr.flags.to_ascii_lowercase(),
                    service: naptr.services.to_ascii_uppercase(),
                    replacement: naptr.replacement.to_ascii(),
                }),
                _ => None,
            })
            .collect())
    }
}

/// A name that no search list is applied to.
fn absolute(name: &str) -> Result<Name, ResolveError> {
    let mut name = Name::from_ascii(name).map_err(|_| ResolveError::BadName)?;
    name.set_fqdn(true);
    Ok(name)
}
