//! One of the two output streams of a shell, read up to the marker that ends an answer.

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::shell::lost;
use crate::error::{Error, Result};

/// The most that one script may print on one stream. It is held in memory.
const LIMIT: usize = 64 << 20;

type Stream = Box<dyn AsyncRead + Send + Unpin>;

/// What came so far.
#[derive(Default)]
pub(super) struct Answer {
    data: Vec<u8>,
    shown: usize,
}

impl Answer {
    /// Bytes of output so far.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// The output, byte for byte.
    pub fn into_bytes(self) -> Vec<u8> {
        self.data
    }

    /// Reads up to `marker`, passes complete lines on, and returns what was read beyond the marker.
    pub async fn read(&mut self, stream: &mut Stream, marker: &str, line: &mut impl FnMut(&[u8])) -> Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let found = memmem::find(&self.data[searched..], marker.as_bytes()).map(|at| searched + at);
            let end = found.unwrap_or(self.data.len());
            // Where the line end that the marker begins with came alone, its line has been shown already.
            while let Some(length) = memchr::memchr(b'\n', self.data.get(self.shown..end).unwrap_or_default()) {
                line(&self.data[self.shown..self.shown + length]);
                self.shown += length + 1;
            }
            if let Some(at) = found {
                if self.shown < at {
                    line(&self.data[self.shown..at]);
                    self.shown = at;
                }
                let rest = self.data[at + marker.len()..].to_vec();
                self.data.truncate(at);
                return Ok(rest);
            }
            searched = self.data.len().saturating_sub(marker.len());
            more(stream, &mut self.data).await?;
            if self.data.len() > LIMIT {
                return Err(Error::host(format!("it printed more than {} MiB and was stopped", LIMIT >> 20))
                    .help("let it write to a file on the host; host.download() fetches files of any size"));
            }
        }
    }

    /// The exit status, which follows the marker on standard output. What comes after its line belongs to nobody: it is
    /// from something that the script left running.
    pub async fn status(&mut self, stream: &mut Stream, mut text: Vec<u8>) -> Result<i64> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &text) {
                let status = String::from_utf8_lossy(&text[..end]).trim().parse();
                return status.map_err(|_| {
                    Error::unreachable("the shell on the host answered something else than an exit status")
                });
            }
            more(stream, &mut text).await?;
        }
    }
}

async fn more(stream: &mut Stream, data: &mut Vec<u8>) -> Result<()> {
    data.reserve(64 * 1024);
    match stream.read_buf(data).await.map_err(lost)? {
        0 => Err(Error::unreachable("the connection was closed while a command ran").help(
            "run it again: what is done stays done. If it happens again, look at the network and at sshd's log on the host",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines and the whole of an answer that comes in pieces.
    async fn read(pieces: [&'static str; 3]) -> (Vec<String>, String) {
        let [a, b, c] = pieces.map(str::as_bytes);
        let mut stream: Stream = Box::new(a.chain(b).chain(c));
        let (mut answer, mut lines) = (Answer::default(), Vec::new());
        let each = &mut |line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        let rest = answer.read(&mut stream, "\nid ", each).await.unwrap();
        assert_eq!(answer.status(&mut stream, rest).await.unwrap(), 0);
        (lines, String::from_utf8(answer.into_bytes()).unwrap())
    }

    #[tokio::test]
    async fn an_answer_may_be_cut_anywhere() {
        for pieces in [["one\ntwo\nid 0\n", "", ""], ["one\ntwo\n", "id 0\n", ""], ["one\ntw", "o\ni", "d 0\n"]] {
            let (lines, whole) = read(pieces).await;
            assert_eq!((lines, whole.as_str()), (vec!["one".to_owned(), "two".to_owned()], "one\ntwo"), "{pieces:?}");
        }
        assert_eq!(read(["one\n", "\nid ", "0\n"]).await, (vec!["one".to_owned()], "one\n".to_owned()));
        assert_eq!(read(["\n", "id ", "0\n"]).await.1, "");
    }
}
