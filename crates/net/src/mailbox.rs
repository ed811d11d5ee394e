//! What one event loop leaves for another: letters, taken out in the order in which they were put in.
//!
//! Whoever empties the box takes all that is in it at once. It is woken only while it sleeps: a letter to a loop that is
//! at work costs no system call.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A box for letters. Clones are handles to the same box.
#[derive(Debug)]
pub struct Mailbox<T>(Arc<Mutex<Letters<T>>>);

#[derive(Debug)]
struct Letters<T> {
    waiting: Vec<T>,
    /// Of the one who empties it, while it sleeps.
    waker: Option<Waker>,
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Letters { waiting: Vec::new(), waker: None })))
    }
}

impl<T> Mailbox<T> {
    /// Puts a letter in.
    pub fn put(&self, letter: T) {
        let mut letters = self.letters();
        letters.waiting.push(letter);
        Self::wake(letters);
    }

    /// Puts a letter in, unless there are `most` already: then the letter is lost, as a datagram would be.
    pub fn offer(&self, letter: T, most: usize) -> bool {
        let mut letters = self.letters();
        if letters.waiting.len() >= most {
            return false;
        }
        letters.waiting.push(letter);
        Self::wake(letters);
        true
    }

    /// Waits for letters and puts them into `taken`, which is empty: its room is lent to the box in exchange. One at a
    /// time may wait.
    pub async fn take(&self, taken: &mut Vec<T>) {
        poll_fn(|cx| {
            let mut letters = self.letters();
            if letters.waiting.is_empty() {
                letters.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            std::mem::swap(&mut letters.waiting, taken);
            Poll::Ready(())
        })
        .await;
    }

    fn letters(&self) -> MutexGuard<'_, Letters<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(mut letters: MutexGuard<'_, Letters<T>>) {
        let waker = letters.waker.take();
        drop(letters);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake};

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(mailbox: &Mailbox<u32>, counter: &Arc<Counter>) -> Option<Vec<u32>> {
        let mut taken = Vec::new();
        let waker = Arc::clone(counter).into();
        let outcome = {
            let mut take = Box::pin(mailbox.take(&mut taken));
            take.as_mut().poll(&mut Context::from_waker(&waker))
        };
        outcome.is_ready().then_some(taken)
    }

    #[test]
    fn letters_come_out_together_in_their_order() {
        let (mailbox, counter) = (Mailbox::default(), Arc::default());
        (1..=3).for_each(|letter| mailbox.put(letter));
        assert_eq!(poll(&mailbox, &counter), Some(vec![1, 2, 3]));
        assert_eq!(poll(&mailbox, &counter), None);
    }

    #[test]
    fn only_one_who_sleeps_is_woken_and_once() {
        let (mailbox, counter) = (Mailbox::default(), Arc::<Counter>::default());
        mailbox.put(1);
        assert_eq!(counter.0.load(Ordering::Relaxed), 0);
        assert!(poll(&mailbox, &counter).is_some());
        assert!(poll(&mailbox, &counter).is_none());
        mailbox.put(2);
        mailbox.put(3);
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_offered_to_a_full_box_is_lost_and_what_must_arrive_is_not() {
        let (mailbox, counter) = (Mailbox::default(), Arc::default());
        assert!(mailbox.offer(1, 2) && mailbox.offer(2, 2));
        assert!(!mailbox.offer(3, 2));
        mailbox.put(4);
        assert_eq!(poll(&mailbox, &counter), Some(vec![1, 2, 4]));
        assert!(mailbox.offer(5, 2));
    }

    #[test]
    fn letters_of_other_threads_arrive_one_and_all() {
        let mailbox = Mailbox::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let mailbox = mailbox.clone();
                std::thread::spawn(move || (0..1000).for_each(|number| mailbox.put(sender * 1000 + number)))
            })
            .collect();
        let mut next = [0, 1000, 2000, 3000];
        runtime.block_on(async {
            while next != [1000, 2000, 3000, 4000] {
                let mut taken: Vec<usize> = Vec::new();
                mailbox.take(&mut taken).await;
                for letter in taken {
                    assert_eq!(letter, next[letter / 1000], "out of order");
                    next[letter / 1000] += 1;
                }
            }
        });
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    }
}
