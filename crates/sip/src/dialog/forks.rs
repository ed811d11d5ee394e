//! The dialogs that one INVITE has brought about (RFC 3261 §12.1.2, §13.2.2.4): a forking proxy lets several user
//! agents answer, each with a tag of its own.

use std::sync::Arc;

use super::{Dialog, DialogError, DialogState};
use crate::message::Message;

/// How many dialogs of one INVITE are kept. RFC 5393 §5 limits what a request may fork into to 60; fewer ring.
const LIMIT: usize = 60;

/// The caller's side of one INVITE.
#[derive(Clone, Debug)]
pub struct Forks {
    invite: Arc<Message>,
    dialogs: Vec<Dialog>,
}

/// What a response did.
#[derive(Debug)]
pub enum Fork<'a> {
    /// It began a dialog.
    New(&'a mut Dialog),
    /// It belongs to a dialog that was there.
    Known(&'a mut Dialog),
}

impl Forks {
    /// No dialogs yet.
    #[must_use]
    pub const fn new(invite: Arc<Message>) -> Self {
        Self { invite, dialogs: Vec::new() }
    }

    /// The INVITE.
    #[must_use]
    pub const fn invite(&self) -> &Arc<Message> {
        &self.invite
    }

    /// Takes in a provisional response or a 2xx.
    ///
    /// # Errors
    /// When the response begins no dialog: 100, no To tag, a broken header, or more early dialogs than are kept.
    pub fn receive_response(&mut self, response: &Message) -> Result<Fork<'_>, DialogError> {
        let tag = response.to()?.tag().unwrap_or_default();
        let known = self.dialogs.iter().position(|dialog| dialog.id().remote_tag() == tag);
        if let Some(place) = known {
            let dialog = self.dialogs.get_mut(place).ok_or(DialogError::NoDialog)?;
            dialog.receive_response(response);
            return Ok(Fork::Known(dialog));
        }
        let dialog = Dialog::of_caller(&self.invite, response)?;
        if self.dialogs.len() >= LIMIT {
            // A 2xx must be acknowledged whatever else there is: it takes the place of an early dialog.
            let early = self.dialogs.iter().position(|held| held.state() == DialogState::Early);
            match early {
                Some(place) if dialog.state() == DialogState::Confirmed => {
                    self.dialogs.remove(place);
                }
                _ => return Err(DialogError::NoDialog),
            }
        }
        self.dialogs.push(dialog);
        self.dialogs.last_mut().map(Fork::New).ok_or(DialogError::NoDialog)
    }

    /// The dialogs, in the order in which they began.
    pub fn dialogs(&self) -> impl Iterator<Item = &Dialog> {
        self.dialogs.iter()
    }

    /// Hands the dialog with the peer's tag `remote_tag` over and forgets it here.
    pub fn take(&mut self, remote_tag: &[u8]) -> Option<Dialog> {
        let place = self.dialogs.iter().position(|dialog| dialog.id().remote_tag() == remote_tag)?;
        Some(self.dialogs.remove(place))
    }

    /// The INVITE has a final response other than 2xx, or the call is settled: early dialogs are over
    /// (RFC 3261 §12.3).
    pub fn end_early(&mut self) {
        self.dialogs.retain(|dialog| dialog.state() == DialogState::Confirmed);
    }
}
