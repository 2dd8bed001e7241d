import Foundation
import Foundations
import InputFiles
import StrictJSON
import Synchronization

/// What the program says on standard error and output.
///
/// Everything passes through here: control characters become visible codes, a progress line makes
/// way for what is printed, and output that could not be written is remembered, so that the program
/// does not end as if it had been.
enum Terminal {
  private struct State {
    /// The progress line that stands on the terminal.
    var progress = ""
    /// Why standard output could not be written.
    var lost: Int32?
    /// Whether standard error is for programs.
    var isStructured = false
  }

  private static let state = Mutex(State())

  /// Prints an error: what is wrong, where, and what to do.
  static func report(_ error: any ReportableError) {
    guard !error.what.isEmpty else { return }
    let place = error.location.map { "\($0): " } ?? ""
    guard !isStructured else {
      var facts = JSONObject()
      facts["advice"] = error.advice.map { .string($0) }
      facts["exitCode"] = .int(Int(error.exitCode))
      return log(.error, place + error.what, facts)
    }
    note("error: \(place.printable)\(error.what.printable)")
    if let advice = error.advice { note("  try: \(advice.printable)") }
  }

  /// Whether what is said on standard error is for programs, one JSON object a line.
  static var isStructured: Bool {
    get { state.withLock { $0.isStructured } }
    set { state.withLock { $0.isStructured = newValue } }
  }

  /// Prints a line on standard error; on a terminal it breaks between words.
  static func note(_ text: String) {
    let lines = text.printableLines
    note(raw: isInteractive ? lines.wrapped(columns: columns) : lines)
  }

  /// Prints a line on standard error as it is.
  static func note(raw shown: String) {
    guard World.speaks else { return }
    state.withLock { state in
      let clear = state.progress.isEmpty ? "" : "\r\u{1b}[K"
      _ = write(clear + shown + "\n" + state.progress, to: STDERR_FILENO)
    }
  }

  /// Prints a line on standard output.
  static func say(_ text: String) {
    let lines = text.printableLines
    say(raw: (isatty(STDOUT_FILENO) == 1 ? lines.wrapped(columns: columns) : lines) + "\n")
  }

  /// Prints a JSON document on one line of standard output.
  static func say(_ json: JSONValue) { say(raw: json.compact.escapedForTerminal + "\n") }

  /// Prints a part of a text that the user asked for: as it is into a file or another program, with
  /// control characters as codes on a terminal.
  static func continueText(_ text: String) {
    say(raw: isatty(STDOUT_FILENO) == 1 ? text.printableLines : text)
  }

  private static func say(raw text: String) {
    guard World.speaks else { return }
    state.withLock { state in
      if !state.progress.isEmpty {
        _ = write("\r\u{1b}[K", to: STDERR_FILENO)
        state.progress = ""
      }
      if state.lost == nil { state.lost = write(text, to: STDOUT_FILENO) }
    }
  }

  /// Shows a progress line in place of the one before; none when it is empty.
  static func show(progress line: String) {
    guard World.speaks else { return }
    state.withLock { state in
      guard state.progress != line else { return }
      state.progress = line
      _ = write("\r\u{1b}[K" + line, to: STDERR_FILENO)
    }
  }

  /// Whether nobody reads standard output any more, so that there is no use in going on for it.
  static var isUnread: Bool { state.withLock { $0.lost != nil } }

  /// Ends the output; why it was lost, when it was. A reader that went away (`| head`) has all that
  /// it wanted.
  static func finish() -> OutputError? {
    state.withLock { state in
      if state.lost == nil, close(STDOUT_FILENO) != 0 { state.lost = errno }
      guard let code = state.lost, code != EPIPE else { return nil }
      return .lost(errno: code)
    }
  }

  /// Whether standard error is a terminal, where progress may move the cursor.
  static var isInteractive: Bool { isatty(STDERR_FILENO) == 1 }

  /// The columns of the terminal on standard error; 80 when it does not say.
  static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Writes all of `text`; the error number when that cannot be done.
  private static func write(_ text: String, to descriptor: Int32) -> Int32? {
    var text = text
    return text.withUTF8 { bytes in
      var written = 0
      while written < bytes.count {
        let rest = UnsafeBufferPointer(rebasing: bytes[written...])
        let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
        if count >= 0 {
          written += count
        } else if errno == EAGAIN {
          var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          poll(&ready, 1, -1)
        } else if errno != EINTR {
          return errno
        }
      }
      return nil
    }
  }
}

/// Why the results of a run did not reach anybody.
enum OutputError: ReportableError {
  case lost(errno: Int32)

  var what: String {
    switch self {
    case .lost(let code): "cannot be written: \(systemText(code))"
    }
  }

  var location: String? { "standard output" }
}

/// The three descriptors that every process starts with.
enum StandardStreams {
  /// Fills those that the caller closed, before any file is opened: it would get the number of
  /// standard output, and what is printed would go into a checkpoint. What fills them fails when it
  /// is used, as a closed one does.
  static func fill() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) < 0 {
      let opened = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
      if opened >= 0, opened != descriptor {
        dup2(opened, descriptor)
        close(opened)
      }
    }
  }
}

extension String {
  /// A JSON text in which no character acts on a terminal; those that could stand in strings only.
  var escapedForTerminal: String {
    guard unicodeScalars.contains(where: { !$0.isPrintable }) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if scalar.isPrintable {
        text.unicodeScalars.append(scalar)
      } else {
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      }
    }
    return text
  }
}

extension String {
  /// The text with lines of at most `columns - 1` characters where words allow that; what a line goes
  /// on with is indented by two spaces.
  func wrapped(columns: Int) -> String {
    split(separator: "\n", omittingEmptySubsequences: false).map { line in
      // The columns of a table would lose their places.
      let isTable = line.split(separator: "  ").count > 2
      guard line.count >= columns, !isTable else { return String(line) }
      var lines: [String] = [], current = ""
      for word in line.split(separator: " ", omittingEmptySubsequences: false) {
        if current.count + 1 + word.count >= columns, !current.allSatisfy({ $0 == " " }) {
          lines.append(current)
          current = "  " + word
        } else {
          current += (current.isEmpty && lines.isEmpty ? "" : " ") + word
        }
      }
      return (lines + [current]).joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
