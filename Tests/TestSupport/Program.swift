import Foundation

/// The built program, run as a separate process.
public enum Program {
  /// The executable beside the test bundle.
  public static let path: String = {
    if let given = ProcessInfo.processInfo.environment["SPIKINGBRAIN_PROGRAM"] { return given }
    let bundle =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let beside = URL(fileURLWithPath: bundle).deletingLastPathComponent().path
    let candidates = [
      beside, Repository.root + "/.build/release", Repository.root + "/.build/debug",
    ]
    .map { $0 + "/spikingbrain" }
    return candidates.first(where: FileManager.default.isExecutableFile) ?? candidates[0]
  }()

  /// What a finished process left behind.
  public struct Result: Sendable, CustomStringConvertible {
    /// The exit code, or minus the signal that ended the process.
    public var code: Int
    /// What it wrote on standard output.
    public var output: [UInt8]
    /// What it wrote on standard error.
    public var error: String

    /// Standard output as text.
    public var text: String { String(decoding: output, as: UTF8.self) }
    /// The lines of standard error.
    public var errorLines: [Substring] { error.split(separator: "\n") }
    public var description: String { "exit \(code)\nstdout: \(text)\nstderr: \(error)" }
  }

  /// Runs the program to its end.
  public static func run(_ arguments: String..., input: String = "") throws -> Result {
    try run(arguments, input: input)
  }

  /// Runs the program to its end.
  public static func run(_ arguments: [String], input: String = "") throws -> Result {
    try RunningProgram(path, arguments, input: input).wait()
  }

  /// Runs the program to its end, with these variables besides those of this process.
  public static func run(
    _ arguments: [String], environment: [String: String], input: String = ""
  ) throws -> Result {
    try RunningProgram(path, arguments, input: input, environment: environment).wait()
  }

  /// Runs the program in a shell after `setup`, for example a `ulimit`.
  public static func run(after setup: String, _ arguments: [String]) throws -> Result {
    try RunningProgram("/bin/bash", ["-c", setup + "; exec \"$0\" \"$@\"", path] + arguments).wait()
  }
}

/// A process that may still be running. Its output goes to files, so it never waits for a reader.
public final class RunningProgram {
  private let directory: TemporaryDirectory
  private let identifier: pid_t
  private var status: Int32?

  /// Why a process could not be started.
  public struct Failure: Error {
    var program: String
    var code: Int32
  }

  /// Starts `program`, with the variables of `environment` besides those of this process.
  public init(
    _ program: String, _ arguments: [String], input: String = "",
    environment: [String: String] = [:]
  ) throws {
    directory = try TemporaryDirectory()
    try directory.write("in", input)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, directory("in"), O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, directory("out"), O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, directory("err"), O_WRONLY | O_CREAT, 0o600)
    // Whoever runs the tests may ignore or block signals, which would be inherited.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGINT, SIGTERM] { sigaddset(&signals, signal) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var settings: [UnsafeMutablePointer<CChar>?] =
      variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { settings.forEach { free($0) } }
    var identifier: pid_t = 0
    let code = posix_spawn(&identifier, program, &actions, &attributes, &words, &settings)
    guard code == 0 else { throw Failure(program: program, code: code) }
    self.identifier = identifier
  }

  deinit { if status == nil { _ = kill() } }

  /// Whether the process has ended.
  public var hasEnded: Bool {
    if status != nil { return true }
    var code: Int32 = 0
    guard waitpid(identifier, &code, WNOHANG) == identifier else { return false }
    status = code
    return true
  }

  /// Sends a signal.
  public func send(_ signal: Int32) { Foundation.kill(identifier, signal) }

  /// Ends the process with SIGKILL and waits for it.
  public func kill() -> Program.Result? {
    if !hasEnded { Foundation.kill(identifier, SIGKILL) }
    return try? wait()
  }

  /// Waits for the end; a process that takes longer than `seconds` is killed.
  public func wait(seconds: Double = 120) throws -> Program.Result {
    let limit = Date() + seconds
    while !hasEnded {
      usleep(1000)
      if Date() > limit { Foundation.kill(identifier, SIGKILL) }
    }
    let code = status ?? 0
    let signal = Int(code & 0x7f)
    return Program.Result(
      code: signal == 0 ? Int(code >> 8 & 0xff) : -signal,
      output: try Files.bytes(directory("out")),
      error: try Files.text(directory("err")))
  }
}
