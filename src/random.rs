//! Random numbers that nobody can guess.

/// Random bytes from the kernel.
///
/// # Panics
/// Where the kernel has no random numbers, which no kernel since Linux 3.17 does: nothing that depends on them may go on.
#[allow(clippy::expect_used)]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let more = || rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty());
        filled += rustix::io::retry_on_intr(more).expect("the kernel gives random numbers");
    }
    bytes
}
