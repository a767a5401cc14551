//! `k3srun`: see the library's documentation and `k3srun --help`.

fn main() -> std::process::ExitCode {
    k3srun::cli::main()
}
