//! What a packet of pictures costs the sockets of media: bursts, as cameras make them, come and go back to who sent them.
//!
//! `cargo run --release -p sipweb-net --example picture_bursts [joined]`: with `joined`, what a peer sends in one burst
//! arrives as one, as network cards hand it over.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this is measured on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSlice};
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd as _;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    use net::media_sockets::{MediaSockets, Peers};
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

    const CAMERAS: usize = 20;
    /// Packets of a picture, and octets of a packet.
    const PICTURE: usize = 20;
    const PACKET: u16 = 1150;
    const INTERVAL: Duration = Duration::from_millis(33);
    const SPAN: Duration = Duration::from_secs(8);
    const WARM_UP: Duration = Duration::from_secs(1);

    static ECHOED: AtomicU64 = AtomicU64::new(0);

    pub(super) fn main() -> io::Result<()> {
        let joined = std::env::args().any(|argument| argument == "joined");
        let server = UdpSocket::bind("127.0.0.1:0")?;
        server.set_nonblocking(true)?;
        let at = server.local_addr()?;
        let cameras = std::thread::spawn(move || film(at, joined));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        tokio::task::LocalSet::new().block_on(&runtime, async move {
            let sockets = Rc::new(MediaSockets::new()?);
            sockets.open(1, server, Peers::Many)?;
            let echo = Rc::clone(&sockets);
            tokio::task::spawn_local(async move {
                let answer = |key, from, bytes: &[u8]| {
                    ECHOED.fetch_add(1, Ordering::Relaxed);
                    echo.send(key, from, bytes.to_vec());
                };
                echo.run(answer).await
            });
            tokio::time::sleep(WARM_UP).await;
            let (time, packets) = (processor_time()?, ECHOED.load(Ordering::Relaxed));
            tokio::time::sleep(SPAN).await;
            let (time, packets) = (processor_time()? - time, ECHOED.load(Ordering::Relaxed) - packets);
            println!("{:.2} us a packet there and back, {packets} packets", time / packets as f64);
            io::Result::Ok(())
        })?;
        let (sent, heard) = cameras.join().expect("the cameras ended well")?;
        println!("{sent} sent, {heard} came back");
        Ok(())
    }

    /// Processor time of this thread in microseconds.
    fn processor_time() -> io::Result<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let nanoseconds: f64 =
            text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default();
        Ok(nanoseconds / 1e3)
    }

    fn film(at: SocketAddr, joined: bool) -> io::Result<(u64, u64)> {
        let cameras: Vec<UdpSocket> =
            (0..CAMERAS).map(|_| UdpSocket::bind("127.0.0.1:0")).collect::<io::Result<_>>()?;
        for camera in &cameras {
            camera.connect(at)?;
            camera.set_nonblocking(true)?;
        }
        let picture = vec![7u8; usize::from(PACKET) * PICTURE];
        let (mut sent, mut heard, mut buffer) = (0, 0, [0; 2048]);
        let begun = Instant::now();
        let mut hear = |heard: &mut u64| {
            for camera in &cameras {
                while camera.recv(&mut buffer).is_ok() {
                    *heard += 1;
                }
            }
        };
        for number in 0.. {
            let due = begun + INTERVAL / u32::try_from(CAMERAS).unwrap_or(1) * number;
            if due > begun + WARM_UP + SPAN + WARM_UP {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let camera = &cameras[number as usize % CAMERAS];
            if joined {
                let cut = [ControlMessage::UdpGsoSegments(&PACKET)];
                // At the end nobody is there any more.
                let _ = sendmsg::<()>(
                    camera.as_raw_fd(),
                    &[IoSlice::new(&picture)],
                    &cut,
                    MsgFlags::empty(),
                    None,
                );
            } else {
                for packet in picture.chunks(PACKET.into()) {
                    let _ = camera.send(packet);
                }
            }
            sent += PICTURE as u64;
            hear(&mut heard);
        }
        std::thread::sleep(WARM_UP);
        hear(&mut heard);
        Ok((sent, heard))
    }
}
