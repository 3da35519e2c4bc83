//! A caller's question on its way to the session thread and back.

use async_channel::{Receiver, Sender};
use async_io::Timer;
use futures_lite::future;

use std::time::Duration;

use crate::{ANSWER_WITHIN, Refusal};

/// Where the answer to one call goes. Dropped unanswered, the caller gets `org.overwinter.Error.Failed`.
#[derive(Debug)]
pub struct Reply<T>(Sender<Result<T, Refusal>>);

impl<T> Reply<T> {
    /// A reply and the place where it arrives, for tests and for whoever stands between.
    pub fn new() -> (Reply<T>, Answer<T>) {
        let (sender, receiver) = async_channel::bounded(1);
        (Reply(sender), Answer(receiver))
    }

    /// Answers. The caller may have given up: then this does nothing.
    pub fn send(self, answer: Result<T, Refusal>) {
        let _ = self.0.try_send(answer);
    }
}

/// The other end of a [`Reply`].
#[derive(Debug)]
pub struct Answer<T>(Receiver<Result<T, Refusal>>);

impl<T> Answer<T> {
    /// What was answered, or why there is no answer.
    pub(crate) async fn wait(self) -> Result<T, Refusal> {
        self.wait_for(ANSWER_WITHIN).await
    }

    /// As [`wait`](Answer::wait), for what takes longer.
    pub(crate) async fn wait_for(self, at_most: Duration) -> Result<T, Refusal> {
        let answered = async {
            self.0.recv().await.unwrap_or_else(|_| {
                Err(Refusal::Failed(
                    "the session did not answer this; it is unchanged".into(),
                ))
            })
        };
        let late = async {
            Timer::after(at_most).await;
            Err(Refusal::Busy(
                "the session is busy and has not answered in time; what was asked may still happen. Ask again later".into(),
            ))
        };
        future::or(answered, late).await
    }

    /// The answer if it is there already.
    pub fn now(&self) -> Option<Result<T, Refusal>> {
        self.0.try_recv().ok()
    }
}
