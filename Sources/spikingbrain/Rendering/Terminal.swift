import Foundation
import TensorTypes

/// What the program says on standard error and output.
enum Terminal {
  /// Prints an error: what is wrong, where, and what to do.
  static func report(_ error: any ReportableError) {
    guard !error.what.isEmpty else { return }
    let place = error.location.map { "\($0): " } ?? ""
    write("error: \(place)\(error.what)\n", to: .standardError)
    if let advice = error.advice { write("  try: \(advice)\n", to: .standardError) }
  }

  /// Prints a line on standard error.
  static func note(_ text: String) { write(text + "\n", to: .standardError) }

  /// Prints a line on standard output.
  static func say(_ text: String) { write(text + "\n", to: .standardOutput) }

  /// Writes without a newline; a closed pipe is not an error. Of several processes one writes.
  static func write(_ text: String, to handle: FileHandle) {
    guard World.speaks else { return }
    try? handle.write(contentsOf: Data(text.utf8))
  }

  /// Whether standard error is a terminal, where progress may move the cursor.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }
}
