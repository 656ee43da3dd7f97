//! Where the data plane may dial: server addresses of the simulated cloud mapped to sockets of this machine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// Maps addresses of servers (pods) to real sockets. The data plane never dials anything but loopback: what is neither
/// loopback nor mapped is [`Unreachable`].
///
/// ```
/// use alb_sim::AddressMap;
///
/// let map = AddressMap::default();
/// map.map("10.0.0.7:8080".parse()?, "127.0.0.1:43001".parse()?);
/// assert_eq!(map.resolve("10.0.0.7:8080".parse()?)?, "127.0.0.1:43001".parse()?);
/// assert!(map.resolve("10.0.0.8:8080".parse()?).is_err());
///
/// // Or let each pod address stand for the loopback address with the same last three octets.
/// map.set_loopback_octets(true);
/// assert_eq!(map.resolve("10.0.0.8:8080".parse()?)?, "127.0.0.8:8080".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct AddressMap {
    entries: RwLock<AddressEntries>,
}

/// The content of an [`AddressMap`], as `GET /sim/addresses` shows it and `PUT /sim/addresses` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AddressEntries {
    /// Server address and port to real socket. Looked at first.
    pub sockets: BTreeMap<SocketAddr, SocketAddr>,
    /// Server address to real address; the port stays. Looked at second.
    pub ips: BTreeMap<IpAddr, IpAddr>,
    /// Whether an IPv4 server `a.b.c.d:p` that has no entry is dialled at `127.b.c.d:p`.
    pub loopback_octets: bool,
}

/// An address the data plane must not or cannot dial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// There is no entry, and it is not loopback.
    #[error(
        "server {0} is not a loopback address and not mapped to one: add it with PUT /sim/addresses or AlbSim::map_address"
    )]
    Unmapped(SocketAddr),
    /// The entry points outside this machine.
    #[error(
        "server {server} is mapped to {real}, which is not a loopback address: map it to 127.0.0.0/8 or ::1"
    )]
    NotLoopback {
        /// The server.
        server: SocketAddr,
        /// What it is mapped to.
        real: SocketAddr,
    },
}

impl AddressMap {
    /// A map with the given entries.
    pub fn new(entries: AddressEntries) -> Self {
        Self {
            entries: RwLock::new(entries),
        }
    }

    /// Dial `real` for `server`.
    pub fn map(&self, server: SocketAddr, real: SocketAddr) {
        self.write(|e| {
            e.sockets.insert(server, real);
        });
    }

    /// Dial `real` for `server` on every port that [`AddressMap::map`] does not name.
    pub fn map_ip(&self, server: IpAddr, real: IpAddr) {
        self.write(|e| {
            e.ips.insert(server, real);
        });
    }

    /// Forget the entry of `server`.
    pub fn unmap(&self, server: SocketAddr) {
        self.write(|e| {
            e.sockets.remove(&server);
        });
    }

    /// Whether IPv4 servers without an entry are dialled at the loopback address with the same last three octets.
    pub fn set_loopback_octets(&self, on: bool) {
        self.write(|e| e.loopback_octets = on);
    }

    /// Replace all entries.
    pub fn replace(&self, entries: AddressEntries) {
        self.write(|e| *e = entries);
    }

    /// A copy of all entries.
    pub fn entries(&self) -> AddressEntries {
        self.entries
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The socket to dial for `server`; always a loopback one.
    ///
    /// # Errors
    /// [`Unreachable`] when there is no such socket.
    pub fn resolve(&self, server: SocketAddr) -> Result<SocketAddr, Unreachable> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let real = if let Some(real) = entries.sockets.get(&server) {
            *real
        } else if let Some(ip) = entries.ips.get(&server.ip()) {
            SocketAddr::new(*ip, server.port())
        } else if server.ip().is_loopback() {
            return Ok(server);
        } else if let (true, IpAddr::V4(ip)) = (entries.loopback_octets, server.ip()) {
            let [_, b, c, d] = ip.octets();
            SocketAddr::new(Ipv4Addr::new(127, b, c, d).into(), server.port())
        } else {
            return Err(Unreachable::Unmapped(server));
        };
        if real.ip().is_loopback() {
            Ok(real)
        } else {
            Err(Unreachable::NotLoopback { server, real })
        }
    }

    fn write(&self, change: impl FnOnce(&mut AddressEntries)) {
        change(&mut self.entries.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn socket(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_resolved_most_specific_first_and_only_to_loopback() {
        let map = AddressMap::default();
        map.map(socket("10.1.2.3:80"), socket("127.0.0.1:9001"));
        map.map_ip("10.1.2.3".parse().unwrap(), "127.0.0.9".parse().unwrap());
        map.map(socket("10.1.2.4:80"), socket("192.0.2.1:80"));
        let ok =
            |server: &str, real: &str| assert_eq!(map.resolve(socket(server)), Ok(socket(real)), "{server}");
        ok("10.1.2.3:80", "127.0.0.1:9001");
        ok("10.1.2.3:81", "127.0.0.9:81");
        ok("127.3.4.5:7", "127.3.4.5:7");
        ok("[::1]:7", "[::1]:7");
        assert!(matches!(
            map.resolve(socket("10.1.2.4:80")),
            Err(Unreachable::NotLoopback { .. })
        ));
        assert!(matches!(
            map.resolve(socket("10.9.9.9:80")),
            Err(Unreachable::Unmapped(_))
        ));

        map.set_loopback_octets(true);
        ok("10.9.9.9:80", "127.9.9.9:80");
        ok("10.1.2.3:80", "127.0.0.1:9001");
        assert!(map.resolve(socket("[2001:db8::1]:80")).is_err());
    }
}
