//! The table of GLUE: LoRA and Deep LoRA on eight tasks, with few examples.

fn main() -> std::process::ExitCode {
    lab::main::<figures::glue_table::GlueTable>()
}
