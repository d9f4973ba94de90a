//! `/etc/resolv.conf`, read as the C library does, without its ways to other names and files.
//!
//! Only an address is a name server. The library's own parser hands a name to `getaddrinfo`, which waits without
//! regard to a deadline, asks servers that nobody named, and loads modules that `/etc/nsswitch.conf` names.

use std::net::{IpAddr, SocketAddr};

use domain::resolv::stub::conf::{ResolvConf, SearchSuffix, ServerConf, Transport};

/// The most name servers that count. Source: resolv.conf(5), `MAXNS`.
const MAX_SERVERS: usize = 3;
/// The most domains of the search list that count. Source: Kubernetes, `MaxDNSSearchPaths`.
const MAX_SEARCHED: usize = 32;
/// The most dots that `ndots` can ask for. Source: resolv.conf(5).
const MAX_NDOTS: usize = 15;
const DNS_PORT: u16 = 53;

/// Reads the file. A line that cannot be understood is passed over.
pub(super) fn parse(text: &str) -> ResolvConf {
    let mut conf = ResolvConf::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some("nameserver") if conf.servers.len() < MAX_SERVERS => {
                let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
                conf.servers.extend(address.map(|address| server(SocketAddr::new(address, DNS_PORT))));
            }
            Some("search" | "domain") => {
                let suffixes = words.take(MAX_SEARCHED).filter_map(|word| word.parse::<SearchSuffix>().ok());
                let mut search = suffixes.collect::<Vec<_>>();
                search.truncate(MAX_SEARCHED);
                conf.options.search = Default::default();
                for suffix in search {
                    conf.options.search.push(suffix);
                }
            }
            Some("options") => words.for_each(|word| set_option(&mut conf, word)),
            _ => {}
        }
    }
    conf
}

/// A name server that is asked by UDP, and by TCP where an answer does not fit.
pub(super) fn server(address: SocketAddr) -> ServerConf {
    ServerConf::new(address, Transport::UdpTcp)
}

fn set_option(conf: &mut ResolvConf, word: &str) {
    let number = |name: &str| word.strip_prefix(name)?.strip_prefix(':')?.parse::<usize>().ok();
    if let Some(dots) = number("ndots") {
        conf.options.ndots = dots.min(MAX_NDOTS);
    }
    match word {
        "rotate" => conf.options.rotate = true,
        "use-vc" => conf.options.use_vc = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_SEARCHED, parse};

    fn servers(text: &str) -> Vec<String> {
        parse(text).servers.iter().map(|server| server.addr.to_string()).collect()
    }

    #[test]
    fn only_addresses_are_name_servers() {
        for (text, expected) in [
            ("nameserver 10.100.0.10\n", &["10.100.0.10:53"][..]),
            ("nameserver\t10.100.0.10 # kept\r\n", &["10.100.0.10:53"]),
            ("nameserver fd00::a\nnameserver 10.1.2.3", &["[fd00::a]:53", "10.1.2.3:53"]),
            ("nameserver dns.example\n", &[]),
            ("nameserver fe80::10.100.0.null10\nnameserver 10.1.2.3\n", &["10.1.2.3:53"]),
            ("nameserver localhost\nnameserver\n#nameserver 10.1.2.3\nnonsense\n", &[]),
        ] {
            assert_eq!(servers(text), expected, "{text}");
        }
    }

    #[test]
    fn no_more_is_kept_than_the_c_library_uses() {
        let many: String =
            (0..40_000).map(|i| format!("nameserver 10.0.{}.{}\n", i / 256 % 256, i % 256)).collect();
        assert_eq!(servers(&many), ["10.0.0.0:53", "10.0.0.1:53", "10.0.0.2:53"]);
        let search = format!("search {}\n", "a.example ".repeat(100_000));
        assert_eq!(parse(&search).options.search.as_slice().len(), MAX_SEARCHED);
        assert_eq!(parse("options ndots:99999 attempts:x ndots:-1 use-vc").options.ndots, 15);
    }
}
