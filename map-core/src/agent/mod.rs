//! What a caller holds: an agent, its configuration, its jobs.

use crate::delivery::Report;
use crate::protocol::Fields;
use std::net::SocketAddr;
use std::time::Duration;

/// How an agent delivers. Setters check what they are given.
#[derive(Clone, Debug)]
pub struct Config {}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither a domain name nor an address literal.
    #[error("the EHLO name {0:?} is neither a domain name nor an address literal")]
    HelloName(String),
    /// Zero, or too long to be meant.
    #[error("a deadline must be longer than zero and at most a year")]
    Duration,
    /// Not `address:port`.
    #[error("{0:?} is not a DNS server: write an IP address, or address:port")]
    DnsServer(String),
    /// 0
    #[error("port 0 is not a port to connect to")]
    Port,
}

/// One of the deadlines of the exchange, for [`Config::set_timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// Connecting to one address; 15 s.
    Connect,
    /// Greeting; 300 s.
    Greeting,
    /// EHLO or HELO; 300 s.
    Hello,
    /// MAIL; 300 s.
    Mail,
    /// RCPT; 300 s.
    Rcpt,
    /// DATA; 120 s.
    Data,
    /// Content without progress; 180 s.
    Content,
    /// The final reply; 600 s.
    FinalReply,
    /// The reply to QUIT; 2 s.
    Quit,
    /// From the start to the first octet of content; 300 s.
    Start,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// The defaults: the system's resolver, port 25, every deadline of RFC 5321.
    pub fn new() -> Self {
        Self {}
    }
    /// Asks these DNS servers instead of the system's; an empty list goes back to the system's.
    pub fn set_dns_servers(&mut self, _servers: Vec<SocketAddr>) {}
    /// The same, from texts: `127.0.0.1:5300`, `[::1]:53`, `192.0.2.1`.
    ///
    /// # Errors
    /// A text that is not a server.
    pub fn parse_dns_servers<'a>(
        &mut self,
        _servers: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), ConfigError> {
        Ok(())
    }
    /// The port of mail hosts; 25.
    ///
    /// # Errors
    /// Port 0.
    pub fn set_smtp_port(&mut self, _port: u16) -> Result<(), ConfigError> {
        Ok(())
    }
    /// The name behind EHLO: a domain or an address literal; `None` for the machine's own.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn set_hello_name(&mut self, _name: Option<&str>) -> Result<(), ConfigError> {
        Ok(())
    }
    /// The caller's total deadline for one send, DNS included; `None` for no other than the exchange's own.
    ///
    /// # Errors
    /// Zero or absurd.
    pub fn set_deadline(&mut self, _deadline: Option<Duration>) -> Result<(), ConfigError> {
        Ok(())
    }
    /// One deadline of the exchange.
    ///
    /// # Errors
    /// Zero or absurd.
    pub fn set_timeout(&mut self, _which: Timeout, _duration: Duration) -> Result<(), ConfigError> {
        Ok(())
    }
    /// Allows loopback targets: tests and the sandbox.
    pub fn set_allow_loopback(&mut self, _allow: bool) {}
    /// Refuses private ranges as targets.
    pub fn set_public_only(&mut self, _public_only: bool) {}
    /// Takes no domain without an MX record (the letter of MAP 3.5).
    pub fn set_require_mx(&mut self, _require: bool) {}
}

/// Delivers mail; cheap to clone, safe from any thread.
#[derive(Clone, Debug)]
pub struct Agent {}

/// A delivery under way. It is a future of its report, too.
#[derive(Debug)]
pub struct Job {}

impl Agent {
    /// An agent; its worker starts with the first job.
    pub fn new(_config: Config) -> Self {
        Self {}
    }
    /// Sends and waits.
    pub fn send(&self, from: &str, to: &str, subject: &str, content: &str) -> Report {
        self.submit(Fields {
            from: from.as_bytes(),
            to: to.as_bytes(),
            subject: subject.as_bytes(),
            content: content.as_bytes(),
        })
        .wait()
    }
    /// Starts a delivery.
    pub fn submit(&self, _fields: Fields<'_>) -> Job {
        todo!()
    }
    /// Its configuration.
    pub fn config(&self) -> &Config {
        todo!()
    }
}

impl Job {
    /// Waits for the report.
    pub fn wait(self) -> Report {
        todo!()
    }
    /// Waits for at most so long; the job again if it is not done.
    ///
    /// # Errors
    /// The job, still under way.
    pub fn wait_timeout(self, _timeout: Duration) -> Result<Report, Job> {
        todo!()
    }
    /// Cancels: the report still comes, at once.
    pub fn cancel(&self) {}
}

impl std::future::Future for Job {
    type Output = Report;
    fn poll(self: std::pin::Pin<&mut Self>, _cx: &mut std::task::Context<'_>) -> std::task::Poll<Report> {
        todo!()
    }
}

/// The agent behind `map_send`, made at the first use and made anew in a forked child.
pub fn default_agent() -> Agent {
    todo!()
}

/// Sets the configuration of the default agent from now on.
pub fn configure_default(_config: Config) {}

/// Sends by the default agent and waits.
pub fn send(from: &str, to: &str, subject: &str, content: &str) -> Report {
    default_agent().send(from, to, subject, content)
}
