// Statements that may fail.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    SNIPPET
    Ok(())
}
