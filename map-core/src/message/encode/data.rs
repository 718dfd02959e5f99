//! Data as a body: octets that arrive exactly as they were given.

use super::as_it_stands::{Checked, LineCheck};
use super::base64::{self, Base64};
use super::quoted_printable_data::QuotedPrintableData;
use super::{Blocks, TransferEncoding, Unfit};
use crate::message::Source;
use crate::message::origin::Origin;
use std::io::{self, Read};
use std::sync::OnceLock;

/// Octets from wherever they come, in an encoding.
#[derive(Debug)]
pub(in crate::message) struct DataBody {
    origin: Origin,
    encoding: TransferEncoding,
    /// The end of the data is the end of the message.
    whole: bool,
    counted: OnceLock<Option<u64>>,
}

impl DataBody {
    /// What is in memory is looked at here, the rest on its way.
    pub(in crate::message) fn new(
        origin: Origin,
        encoding: TransferEncoding,
        whole: bool,
    ) -> Result<Self, Unfit> {
        if let Origin::Memory(octets) = &origin
            && matches!(encoding, TransferEncoding::SevenBit | TransferEncoding::EightBit)
        {
            let mut check = LineCheck::new(encoding);
            check.look(octets)?;
            check.end()?;
            if whole && !check.ended() {
                return Err(Unfit::NoLineEnd);
            }
        }
        Ok(Self {
            whole,
            ..Self::of(origin, encoding)
        })
    }

    /// Without a look.
    pub(in crate::message) fn of(origin: Origin, encoding: TransferEncoding) -> Self {
        Self {
            origin,
            encoding,
            whole: false,
            counted: OnceLock::new(),
        }
    }
}

impl Source for DataBody {
    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        let inner = self.origin.open()?;
        Ok(match self.encoding {
            TransferEncoding::Base64 => Box::new(Blocks::new(Base64::new(inner))),
            TransferEncoding::Binary => inner,
            TransferEncoding::QuotedPrintable => Box::new(Blocks::new(QuotedPrintableData::new(inner))),
            TransferEncoding::EightBit | TransferEncoding::SevenBit => Box::new(Checked {
                inner,
                check: LineCheck::new(self.encoding),
                whole: self.whole,
            }),
        })
    }

    fn is_in_memory(&self) -> bool {
        self.origin.is_in_memory()
    }

    fn octets(&self) -> Option<u64> {
        match self.encoding {
            TransferEncoding::Base64 => self.origin.octets().map(base64::encoded_octets),
            TransferEncoding::Binary | TransferEncoding::EightBit | TransferEncoding::SevenBit => {
                self.origin.octets()
            }
            // To know it, all must be read: that is done for memory alone.
            TransferEncoding::QuotedPrintable => match &self.origin {
                Origin::Memory(_) => *self.counted.get_or_init(|| {
                    let mut all = self.open().ok()?;
                    io::copy(&mut all, &mut io::sink()).ok()
                }),
                Origin::File { .. } | Origin::Reader { .. } => None,
            },
        }
    }
}
