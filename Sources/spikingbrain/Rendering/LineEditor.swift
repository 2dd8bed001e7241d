import Foundation
import Glibc

/// Lines that a user types, edited with arrow keys, with those before at hand.
///
/// By libedit where it is installed; plain lines elsewhere. It is loaded when one of these is made, since nothing
/// but a conversation needs it.
struct LineEditor {
  private typealias Read =
    @convention(c) (UnsafePointer<CChar>) -> UnsafeMutablePointer<CChar>?
  private typealias Remember = @convention(c) (UnsafePointer<CChar>) -> CInt

  private let functions: (read: Read, remember: Remember)?

  init() {
    functions = Self.load()
    guard functions != nil else { return }
    // It counts columns in the terminal's characters; what is typed is UTF-8 even where nobody says so.
    setlocale(LC_CTYPE, "")
    if String(cString: nl_langinfo(CInt(CODESET))) != "UTF-8" { setlocale(LC_CTYPE, "C.UTF-8") }
  }

  /// The next line, without its end; nil when there are no more.
  func line(prompt: String) -> String? {
    guard let functions else {
      Terminal.continueText(prompt)
      return readLine()
    }
    guard let text = functions.read(prompt) else { return nil }
    defer { free(text) }
    let line = String(cString: text)
    if !line.allSatisfy(\.isWhitespace) { _ = functions.remember(text) }
    return line
  }

  private static func load() -> (Read, Remember)? {
    guard let library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL),
      let read = dlsym(library, "readline"), let remember = dlsym(library, "add_history")
    else { return nil }
    // Ctrl-C is the conversation's; libedit would take it for the end of the input.
    dlsym(library, "rl_catch_signals")?.storeBytes(of: 0, as: CInt.self)
    return (unsafeBitCast(read, to: Read.self), unsafeBitCast(remember, to: Remember.self))
  }
}
