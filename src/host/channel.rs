//! One more channel of an SSH connection, to a port that the host reaches. ssh's master process hands it out at its control
//! socket, in proxy mode (PROTOCOL.mux of OpenSSH, sections 1 and 9); what is said then is SSH's own connection protocol
//! (RFC 4254, sections 5 and 7.2). So why a connection failed comes as an answer, and no port of this machine listens.

use std::io::{self, Error, ErrorKind};
use std::path::Path;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::time::sleep;

/// `MUX_MSG_HELLO`, the version of the protocol, the request for proxy mode with its answer, and the one to end.
const HELLO: u32 = 0x0000_0001;
const VERSION: u32 = 4;
const PROXY: u32 = 0x1000_000f;
const PROXIED: u32 = 0x8000_000f;
const TERMINATE: u32 = 0x1000_0005;

/// Messages of the connection protocol (RFC 4250, section 4.1.2).
const OPEN: u8 = 90;
const CONFIRMED: u8 = 91;
const FAILED: u8 = 92;
const ADJUST: u8 = 93;
const DATA: u8 = 94;
const EXTENDED: u8 = 95;
const EOF: u8 = 96;
const CLOSE: u8 = 97;

/// What may be under way to us, and the largest packet that every implementation takes (RFC 4253, section 6.1).
const WINDOW: u32 = 1 << 20;
const PACKET: u32 = 32768;

/// Where a channel was refused, our end of the control socket stays open until this process ends: the master process forgets no
/// refused channel, and dies (`channel %d: no remote_id`) when it is to close one at the end of such a socket.
static PARKED: std::sync::Mutex<Vec<(OwnedReadHalf, OwnedWriteHalf)>> = std::sync::Mutex::new(Vec::new());

/// Why the host opened no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// sshd may not open it.
    Prohibited,
    /// It tried, and failed for this reason.
    Failed(String),
}

/// How long the host may take to confirm that a channel is closed.
const FAREWELL: Duration = Duration::from_secs(10);

/// An open channel. Dropping it ends the connection behind it.
pub(super) struct Channel {
    near: DuplexStream,
    /// Closed when the channel is dropped.
    _wanted: oneshot::Sender<()>,
}

/// Has the host connect to `port` of `address`. To be waited for to its end: a master process that is left in the middle of
/// an opening dies (`channel %d: no remote_id`), and the connection with it.
pub(super) async fn open(control: &Path, address: &str, port: u16) -> io::Result<Result<Channel, Refusal>> {
    let (mut from, mut to) = greet(control).await?;
    send(&mut to, &Message::default().number(PROXY).number(0)).await?;
    if Fields(&receive(&mut from).await?).number()? != PROXIED {
        return Err(unexpected("no proxy mode"));
    }
    let request = Message::ssh(OPEN).text("direct-tcpip").number(0).number(WINDOW).number(PACKET);
    send(&mut to, &request.text(address).number(port.into()).text("127.0.0.1").number(0)).await?;
    loop {
        let answer = receive(&mut from).await?;
        let mut answer = Fields(&answer);
        match answer.kind()? {
            CONFIRMED => {
                let _ours = answer.number()?;
                let (id, window, packet) = (answer.number()?, answer.number()?, answer.number()?);
                let (near, far) = tokio::io::duplex(PACKET as usize);
                let (wanted, dropped) = oneshot::channel();
                let to = Mutex::new(Sender { to, id, ended: false });
                tokio::spawn(carry(from, to, far, Peer { window, packet }, dropped));
                return Ok(Ok(Channel { near, _wanted: wanted }));
            }
            FAILED => {
                let _ours = answer.number()?;
                let (reason, said) = (answer.number()?, answer.text()?);
                // 1 is SSH_OPEN_ADMINISTRATIVELY_PROHIBITED.
                let said = String::from_utf8_lossy(said).into_owned();
                PARKED.lock().unwrap_or_else(PoisonError::into_inner).push((from, to));
                return Ok(Err(if reason == 1 { Refusal::Prohibited } else { Refusal::Failed(said) }));
            }
            _ => {}
        }
    }
}

/// Ends the master process, and with it the connection and all that goes over it. Only to stop it from listening would let it live
/// as long as a channel that it has forgotten to close.
pub(super) async fn terminate(control: &Path) -> io::Result<()> {
    let (mut from, mut to) = greet(control).await?;
    send(&mut to, &Message::default().number(TERMINATE).number(0)).await?;
    receive(&mut from).await.map(drop)
}

/// Connects to the control socket.
async fn greet(control: &Path) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let (mut from, mut to) = UnixStream::connect(control).await?.into_split();
    send(&mut to, &Message::default().number(HELLO).number(VERSION)).await?;
    let hello = receive(&mut from).await?;
    let mut hello = Fields(&hello);
    if (hello.number()?, hello.number()?) != (HELLO, VERSION) {
        return Err(unexpected("another version of the protocol"));
    }
    Ok((from, to))
}

/// How much the other end of a channel takes now, and at once.
struct Peer {
    window: u32,
    packet: u32,
}

/// Sends the messages of a channel.
struct Sender {
    to: OwnedWriteHalf,
    /// The number that the host has for the channel.
    id: u32,
    ended: bool,
}

impl Sender {
    async fn send(&mut self, kind: u8, fill: impl FnOnce(Message) -> Message) -> io::Result<()> {
        if self.ended {
            return Ok(());
        }
        send(&mut self.to, &fill(Message::ssh(kind).number(self.id))).await
    }

    /// Tells the master process that nothing more comes.
    async fn end(&mut self) {
        self.ended = true;
        // Where it fails the process is gone.
        let _ = self.to.shutdown().await;
    }
}

/// Carries bytes both ways until the host closes the channel, the connection ends, or the channel is dropped.
///
/// The master process is the one that closes a channel, when it reads the end of the control socket. It doesn't take our word for
/// it: a message that closes a channel it may count for another one, and then closes this one twice, upon which sshd ends the
/// connection. And what it still writes is read to the end: a channel for which a write fails it never closes, and so never ends.
async fn carry(from: OwnedReadHalf, to: Mutex<Sender>, far: DuplexStream, peer: Peer, dropped: oneshot::Receiver<()>) {
    let (reader, writer) = tokio::io::split(far);
    let room = Semaphore::new(peer.window as usize);
    let there = async {
        let wanted = async {
            let _ = dropped.await;
            // Nobody waits for room any more.
            room.close();
        };
        // No message is left half sent.
        let _ = tokio::join!(carry_there(reader, &to, &room, &peer), wanted);
        to.lock().await.end().await;
        sleep(FAREWELL).await;
    };
    tokio::select! {
        // Whoever reads sees that it has ended: the stream has no other way to tell how.
        _ = carry_here(from, &to, writer, &room) => {}
        () = there => {}
    }
}

async fn carry_there(
    mut near: impl AsyncRead + Unpin,
    to: &Mutex<Sender>,
    room: &Semaphore,
    peer: &Peer,
) -> io::Result<()> {
    let mut buffer = vec![0; peer.packet.min(peer.window).clamp(1, PACKET) as usize];
    loop {
        let length = near.read(&mut buffer).await?;
        if length == 0 {
            return to.lock().await.send(EOF, |message| message).await;
        }
        let Ok(taken) = room.acquire_many(length as u32).await else { return Ok(()) };
        taken.forget();
        to.lock().await.send(DATA, |message| message.bytes(&buffer[..length])).await?;
    }
}

/// Reads until the control socket is closed.
async fn carry_here(
    mut from: OwnedReadHalf,
    to: &Mutex<Sender>,
    mut near: impl AsyncWrite + Unpin,
    room: &Semaphore,
) -> io::Result<()> {
    loop {
        let message = receive(&mut from).await?;
        let mut message = Fields(&message);
        let kind = message.kind()?;
        let _ours = message.number()?;
        let taken = match kind {
            DATA => {
                let data = message.text()?;
                // Where nobody reads any more, it is taken all the same.
                let _ = near.write_all(data).await;
                data.len()
            }
            EXTENDED => {
                let _kind = message.number()?;
                message.text()?.len()
            }
            ADJUST => {
                room.add_permits(message.number()? as usize);
                0
            }
            EOF => {
                let _ = near.shutdown().await;
                0
            }
            CLOSE => {
                let _ = near.shutdown().await;
                to.lock().await.end().await;
                0
            }
            _ => 0,
        };
        if taken > 0 {
            to.lock().await.send(ADJUST, |message| message.number(taken as u32)).await?;
        }
    }
}

/// A message that is written: numbers and texts as RFC 4251, section 5, has them.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    /// One of the connection protocol, without padding.
    fn ssh(kind: u8) -> Self {
        Message(vec![0, kind])
    }

    fn number(mut self, number: u32) -> Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self = self.number(bytes.len() as u32);
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }
}

/// A message that is read, from its beginning on.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(|| unexpected("a message that is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The kind of a message of the connection protocol.
    fn kind(&mut self) -> io::Result<u8> {
        Ok(self.take(2)?[1])
    }

    fn number(&mut self) -> io::Result<u32> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn text(&mut self) -> io::Result<&'a [u8]> {
        let length = self.number()?;
        self.take(length as usize)
    }
}

async fn send(to: &mut OwnedWriteHalf, message: &Message) -> io::Result<()> {
    to.write_all(&Message::default().bytes(&message.0).0).await
}

async fn receive(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let length = from.read_u32().await?;
    if length > WINDOW {
        return Err(unexpected("a message that is too long"));
    }
    let mut message = vec![0; length as usize];
    from.read_exact(&mut message).await?;
    Ok(message)
}

fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("ssh's master process answers with {what}"))
}

impl AsyncRead for Channel {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_read(context, buffer)
    }
}

impl AsyncWrite for Channel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(context)
    }
}
