//! Why a session ends before everything submitted on it has its outcome.

use super::{ConnectionFailure, ExchangeStage, Outcome, Reply, ReplyCode};
use std::sync::Arc;

/// Why a session ends early.
#[derive(Debug)]
pub(super) enum SessionEnd {
    Lost(ConnectionFailure),
    /// The server does not know BDAT.
    NoBdat(Arc<Reply>),
    Refused {
        stage: ExchangeStage,
        reply: Arc<Reply>,
    },
    Unexpected {
        stage: ExchangeStage,
        reply: Arc<Reply>,
    },
}

impl SessionEnd {
    /// For the submission that stands at `awaited`.
    pub(super) fn outcome(&self, awaited: ExchangeStage) -> Outcome {
        match self {
            Self::Lost(why) => Outcome::Lost {
                stage: awaited,
                why: why.clone(),
            },
            Self::NoBdat(reply) => Outcome::NoBdat(Arc::clone(reply)),
            Self::Refused { stage, reply } => Outcome::Refused {
                stage: *stage,
                reply: Arc::clone(reply),
            },
            Self::Unexpected { stage, reply } => Outcome::Unexpected {
                stage: *stage,
                reply: Arc::clone(reply),
            },
        }
    }

    /// For a submission that has not had its turn. A 421 is for everybody; another refusal was not meant for it.
    pub(super) fn for_bystander(&self) -> Outcome {
        let stage = ExchangeStage::Mail;
        match self {
            Self::Lost(why) => Outcome::Lost {
                stage,
                why: why.clone(),
            },
            Self::NoBdat(_) => Outcome::NotAttempted,
            Self::Refused { reply, .. } if reply.code == ReplyCode::SERVICE_NOT_AVAILABLE => {
                Outcome::Refused {
                    stage,
                    reply: Arc::clone(reply),
                }
            }
            Self::Refused { .. } => Outcome::Lost {
                stage,
                why: ConnectionFailure::Closed,
            },
            Self::Unexpected { reply, .. } => Outcome::Lost {
                stage,
                why: ConnectionFailure::ImplausibleReply(Arc::clone(reply)),
            },
        }
    }

    /// True when the server still listens and understands: it answered, or is only slow.
    pub(super) fn allows_quit(&self) -> bool {
        match self {
            Self::Lost(why) => matches!(why, ConnectionFailure::TimedOut | ConnectionFailure::OutOfTime),
            Self::NoBdat(_) => false,
            Self::Refused { .. } | Self::Unexpected { .. } => true,
        }
    }
}
