//! Who has a port that we wanted: looked up where Linux tells it.

use std::fs;
use std::path::Path;

use net::Protocol;

/// The program that has `port`, such as `kamailio (process 4711)`, as far as this user may see it.
pub(crate) fn owner(protocol: Protocol, port: u16) -> Option<String> {
    let name = if protocol == Protocol::Udp { "udp" } else { "tcp" };
    let inodes: Vec<String> = [name.to_owned(), format!("{name}6")]
        .iter()
        .filter_map(|table| fs::read_to_string(Path::new("/proc/net").join(table)).ok())
        .flat_map(|table| {
            table.lines().filter_map(|line| inode(line, port)).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let number: u32 = process.file_name().to_str()?.parse().ok()?;
        let holds = fs::read_dir(process.path().join("fd")).ok()?.flatten().any(|descriptor| {
            fs::read_link(descriptor.path())
                .is_ok_and(|link| links.iter().any(|wanted| link.as_os_str() == wanted.as_str()))
        });
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        holds.then(|| format!("{} (process {number})", name.trim()))
    })
}

/// The inode of the socket that a line of the kernel's table is about, if it listens on `port` (proc_net_tcp(5)).
fn inode(line: &str, port: u16) -> Option<&str> {
    const LISTENING: &str = "0A";
    const UNCONNECTED: &str = "07";
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    let state = fields.nth(1)?;
    let (_, local_port) = local.rsplit_once(':')?;
    let matches = u16::from_str_radix(local_port, 16) == Ok(port) && matches!(state, LISTENING | UNCONNECTED);
    matches.then(|| fields.nth(5)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_port_is_found_in_the_tables() {
        let line = "   1: 0100007F:13C4 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 0 100 0 0 10 0";
        assert_eq!(inode(line, 5060), Some("12345"));
        assert_eq!(inode(line, 5061), None);
        assert_eq!(inode("  sl  local_address rem_address   st", 5060), None);
    }

    #[test]
    fn our_own_listener_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let found = owner(Protocol::Tcp, port).unwrap();
        assert!(found.ends_with(&format!("(process {})", std::process::id())), "{found}");
    }
}
