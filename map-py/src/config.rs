//! Keywords of Python as a configuration.

use crate::dkim::DkimSigner;
use crate::relay::Relay;
use crate::text::text;
use map_core::Config;
use map_core::agent::Timeout;
use map_core::net::ProbeHosts;
use map_core::smtp::Chunking;
use map_core::text::quoted;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyMapping, PyString};
use std::fmt::Display;
use std::time::Duration;

/// The configuration that the keywords of `Agent` and `configure` make; a keyword that is not given leaves the core's
/// default.
///
/// # Errors
/// `ValueError` for a value that cannot be, `TypeError` for one of another type and for a keyword that there is not.
pub(crate) fn config(keywords: Option<&Bound<'_, PyDict>>) -> PyResult<Config> {
    let mut config = Config::new();
    let Some(keywords) = keywords else {
        return Ok(config);
    };
    for (name, value) in keywords {
        let name: String = name.extract()?;
        set(&mut config, &name, &value).map_err(|error| of_keyword(keywords.py(), &name, error))?;
    }
    Ok(config)
}

/// Sets what one keyword says.
fn set(config: &mut Config, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    match name {
        "allow_loopback" => config.set_allow_loopback(flag(value)?),
        "chunking" => config.set_chunking(chunking(text(value)?)?),
        "dane" => config.set_dane(flag(value)?),
        "deadline" => {
            let deadline = unless_none(value).map(|value| seconds(value, name)).transpose()?;
            config.set_deadline(deadline).map_err(value_error)?;
        }
        "dkim_signers" => {
            let signers: Vec<Bound<'_, DkimSigner>> = value.extract::<Option<_>>()?.unwrap_or_default();
            for signer in signers {
                config.add_dkim_signer(signer.get().signer().clone());
            }
        }
        "dns_servers" => {
            let servers: Vec<String> = value.extract::<Option<_>>()?.unwrap_or_default();
            let servers = servers.iter().map(String::as_str);
            config.parse_dns_servers(servers).map_err(value_error)?;
        }
        "dns_trust_anchor" => {
            if let Some(records) = unless_none(value) {
                config.set_dns_trust_anchor(text(records)?).map_err(value_error)?;
            }
        }
        "hello_name" => {
            let name = unless_none(value).map(text).transpose()?;
            config
                .set_hello_name(name.filter(|name| !name.is_empty()))
                .map_err(value_error)?;
        }
        "https_port" => config.set_https_port(port(value)?).map_err(value_error)?,
        "mta_sts" => config.set_mta_sts(flag(value)?),
        "platform_roots" => config.set_platform_roots(flag(value)?),
        "port25_check" => config.set_port25_check(flag(value)?),
        "port25_probe_hosts" => {
            config.set_port25_probe_hosts(unless_none(value).map(probe_hosts).transpose()?);
        }
        "proxy" => {
            let url = unless_none(value).map(text).transpose()?;
            let proxy = url.filter(|url| !url.is_empty()).map(str::parse);
            config.set_proxy(proxy.transpose().map_err(value_error)?);
        }
        "public_only" => config.set_public_only(flag(value)?),
        "relay" => {
            let relay = value.extract::<Option<PyRef<'_, Relay>>>()?;
            config.set_relay(relay.map(|relay| relay.relay().clone()));
        }
        "require_mx" => config.set_require_mx(flag(value)?),
        "require_tls" => config.set_require_tls(flag(value)?),
        "smtp_port" => config.set_smtp_port(port(value)?).map_err(value_error)?,
        "source_address" => {
            let addresses = unless_none(value).map(addresses).transpose()?.unwrap_or_default();
            let addresses = addresses.iter().map(String::as_str);
            config.parse_source_addresses(addresses).map_err(value_error)?;
        }
        "timeouts" => {
            if let Some(timeouts) = unless_none(value) {
                set_timeouts(config, timeouts.cast()?)?;
            }
        }
        "tls_roots" => {
            if let Some(pem) = unless_none(value) {
                config.add_tls_roots(text(pem)?).map_err(value_error)?;
            }
        }
        _ => return Err(PyTypeError::new_err("there is no such keyword")),
    }
    Ok(())
}

/// A `TypeError` says which keyword it is about; the others say it by themselves.
pub(crate) fn of_keyword(py: Python<'_>, name: &str, error: PyErr) -> PyErr {
    if error.is_instance_of::<PyTypeError>(py) {
        PyTypeError::new_err(format!("keyword {name:?}: {}", error.value(py)))
    } else {
        error
    }
}

pub(crate) fn unless_none<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyAny>> {
    (!value.is_none()).then_some(value)
}

pub(crate) fn flag(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    Ok(value.cast::<PyBool>()?.is_true())
}

/// A port: a number that is too large for any integer of Rust is still a value that cannot be.
pub(crate) fn port(value: &Bound<'_, PyAny>) -> PyResult<u16> {
    let number = match value.extract::<i64>() {
        Err(error) if !error.is_instance_of::<PyOverflowError>(value.py()) => return Err(error),
        number => number.ok(),
    };
    number
        .and_then(|number| u16::try_from(number).ok())
        .ok_or_else(|| value_error(format_args!("{value} is not a port: 1 to 65535")))
}

/// One address, or several.
fn addresses(value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_instance_of::<PyString>() {
        Ok(vec![value.extract()?])
    } else {
        value.extract()
    }
}

fn probe_hosts(value: &Bound<'_, PyAny>) -> PyResult<ProbeHosts> {
    let (mut mail, mut web): (Vec<String>, Vec<String>) = Default::default();
    for item in value.cast::<PyMapping>()?.items()? {
        let (name, hosts): (String, Bound<'_, PyAny>) = item.extract()?;
        match name.as_str() {
            "mail" => mail = hosts.extract()?,
            "web" => web = hosts.extract()?,
            _ => {
                return Err(value_error(format_args!(
                    "there are no probe hosts {}; there are mail and web",
                    quoted(&name)
                )));
            }
        }
    }
    ProbeHosts::new(mail.iter().map(String::as_str), web.iter().map(String::as_str)).map_err(value_error)
}

/// When a content goes by BDAT, in a word.
fn chunking(word: &str) -> PyResult<Chunking> {
    match word {
        "auto" => Ok(Chunking::Auto),
        "avoid" => Ok(Chunking::Avoid),
        "prefer" => Ok(Chunking::Prefer),
        _ => Err(value_error(format_args!(
            "there is no chunking {}; there are auto, avoid and prefer",
            quoted(word)
        ))),
    }
}

/// The keys of `timeouts`, in the order of an exchange.
const TIMEOUTS: [(&str, Timeout); 15] = [
    ("connect", Timeout::Connect),
    ("greeting", Timeout::Greeting),
    ("hello", Timeout::Hello),
    ("starttls", Timeout::StartTls),
    ("tls", Timeout::Tls),
    ("auth", Timeout::Auth),
    ("mail", Timeout::Mail),
    ("rcpt", Timeout::Rcpt),
    ("data", Timeout::Data),
    ("content", Timeout::Content),
    ("content_block", Timeout::ContentBlock),
    ("final_reply", Timeout::FinalReply),
    ("quit", Timeout::Quit),
    ("replies", Timeout::Replies),
    ("start", Timeout::Start),
];

fn set_timeouts(config: &mut Config, timeouts: &Bound<'_, PyMapping>) -> PyResult<()> {
    for item in timeouts.items()? {
        let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
        let timeout = timeout(&name)?;
        config
            .set_timeout(timeout, seconds(&value, &name)?)
            .map_err(value_error)?;
    }
    Ok(())
}

fn timeout(name: &str) -> PyResult<Timeout> {
    TIMEOUTS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, timeout)| *timeout)
        .ok_or_else(|| {
            let known: Vec<_> = TIMEOUTS.iter().map(|(known, _)| *known).collect();
            value_error(format_args!(
                "there is no timeout {}; there are {}",
                quoted(name),
                known.join(", ")
            ))
        })
}

pub(crate) fn seconds(value: &Bound<'_, PyAny>, name: &str) -> PyResult<Duration> {
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

pub(crate) fn value_error(reason: impl Display) -> PyErr {
    PyValueError::new_err(reason.to_string())
}
