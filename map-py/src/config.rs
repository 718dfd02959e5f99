//! Keywords of Python as a configuration.

use map_core::Config;
use map_core::agent::Timeout;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyMapping};
use std::fmt::Display;
use std::time::Duration;

/// The keywords of `Agent` and `configure`, as given.
pub(crate) struct Keywords<'a, 'py> {
    pub(crate) dns_servers: Option<Vec<String>>,
    pub(crate) smtp_port: i64,
    pub(crate) hello_name: Option<&'a str>,
    pub(crate) deadline: Option<Bound<'py, PyAny>>,
    pub(crate) allow_loopback: bool,
    pub(crate) public_only: bool,
    pub(crate) require_mx: bool,
    pub(crate) port25_check: bool,
    pub(crate) timeouts: Option<Bound<'py, PyMapping>>,
}

impl Keywords<'_, '_> {
    /// # Errors
    /// `ValueError` for a value that cannot be, `TypeError` for one of another type.
    pub(crate) fn into_config(self) -> PyResult<Config> {
        let mut config = Config::new();
        if let Some(servers) = &self.dns_servers {
            config
                .parse_dns_servers(servers.iter().map(String::as_str))
                .map_err(value_error)?;
        }
        let port = u16::try_from(self.smtp_port)
            .map_err(|_| value_error(format_args!("{} is not a port: 1 to 65535", self.smtp_port)))?;
        config.set_smtp_port(port).map_err(value_error)?;
        config
            .set_hello_name(self.hello_name.filter(|name| !name.is_empty()))
            .map_err(value_error)?;
        if let Some(deadline) = &self.deadline {
            config
                .set_deadline(Some(seconds(deadline, "deadline")?))
                .map_err(value_error)?;
        }
        if let Some(timeouts) = &self.timeouts {
            for item in timeouts.items()? {
                let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
                let timeout = timeout(&name)?;
                config
                    .set_timeout(timeout, seconds(&value, &name)?)
                    .map_err(value_error)?;
            }
        }
        config.set_allow_loopback(self.allow_loopback);
        config.set_public_only(self.public_only);
        config.set_require_mx(self.require_mx);
        config.set_port25_check(self.port25_check);
        Ok(config)
    }
}

/// The port as Python gave it: one that is too large for any integer of Rust is still a value that cannot be.
pub(crate) fn port(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    match value.extract::<i64>() {
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => {
            Err(value_error(format_args!("{value} is not a port: 1 to 65535")))
        }
        port => port,
    }
}

/// The keys of `timeouts`, in the order of an exchange.
const TIMEOUTS: [(&str, Timeout); 10] = [
    ("connect", Timeout::Connect),
    ("greeting", Timeout::Greeting),
    ("hello", Timeout::Hello),
    ("mail", Timeout::Mail),
    ("rcpt", Timeout::Rcpt),
    ("data", Timeout::Data),
    ("content", Timeout::Content),
    ("final_reply", Timeout::FinalReply),
    ("quit", Timeout::Quit),
    ("start", Timeout::Start),
];

fn timeout(name: &str) -> PyResult<Timeout> {
    TIMEOUTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, timeout)| *timeout)
        .ok_or_else(|| {
            let known: Vec<_> = TIMEOUTS.iter().map(|(known, _)| *known).collect();
            value_error(format_args!(
                "there is no timeout {name:?}; there are {}",
                known.join(", ")
            ))
        })
}

fn seconds(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Duration> {
    // `True` is a number to Python, and surely a slip here.
    let number = if value.is_instance_of::<PyBool>() {
        None
    } else {
        match value.extract::<f64>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Some(f64::INFINITY),
            number => number.ok(),
        }
    };
    let Some(number) = number else {
        let given = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "{name} is a number of seconds, not {given}"
        )));
    };
    Duration::try_from_secs_f64(number).map_err(|_| {
        value_error(format_args!(
            "{name} is a number of seconds above zero and at most a year, not {number}"
        ))
    })
}

fn value_error(reason: impl Display) -> PyErr {
    PyValueError::new_err(reason.to_string())
}
