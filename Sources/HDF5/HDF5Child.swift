import CHDF5Shim
import Foundations
import Glibc
import Synchronization
import TensorTypes

/// A file being read by libhdf5 in a process of its own, which damage to the file may end, and
/// which has no rights to harm anything (`HDF5Server`).
///
/// Answers are plain numbers and texts, and looked at as what a stranger sends. The process ends
/// with the object.
final class HDF5Child: Sendable {
  let path: String
  private let program: String
  private let process: pid_t
  private let channel: HDF5Channel
  private let status = Mutex<Int32?>(nil)

  /// Seconds without an answer and without using the processor, after which it is given up.
  private static let mostIdleSeconds = 30
  /// Bytes of an answer that is not made of a tensor's numbers.
  private static let longestAnswer = 1 << 30

  /// Starts the process, which opens the file at `path`.
  init(_ path: String) throws(HDF5Error) {
    self.path = path
    program = try HDF5Server.program(for: path)
    (process, channel) = try HDF5Child.start(program, path)
    do throws(HDF5Error) {
      _ = try answer()
    } catch {
      end()
      throw error
    }
  }

  deinit { end() }

  /// Every dataset of the file as a tensor.
  func list() throws(HDF5Error) -> [HDF5Weights.Tensor] {
    try ask(.list) { _ in }
    var message = try answer()
    return try understood { () throws(HDF5Message.Malformed) in
      var tensors: [HDF5Weights.Tensor] = []
      for _ in 0..<(try message.count(most: HDF5Weights.mostObjects)) {
        tensors.append(try HDF5Weights.Tensor(from: &message))
      }
      return tensors
    }
  }

  /// Reads `tensor` as it is stored into `output` of `tensor.byteCount` bytes.
  func read(
    _ tensor: HDF5Weights.Tensor, into output: UnsafeMutableRawBufferPointer
  ) throws(HDF5Error) {
    try ask(.tensor) { tensor.put(into: &$0) }
    try receive(into: .init(rebasing: output[..<tensor.byteCount]))
  }

  /// The numbers of dataset `name` and its shape.
  func doubles(_ name: String) throws(HDF5Error) -> (values: [Double], shape: [Int]) {
    try ask(.doubles) { $0.put(name) }
    var message = try answer()
    let shape = try understood { () throws(HDF5Message.Malformed) in
      let shape = try message.counts(most: HDF5Weights.mostDimensions)
      guard let bytes = Shape(shape).byteCount(.float64), bytes / 8 <= HDF5Reader.mostElements
      else { throw .init() }
      return shape
    }
    var values = [Double](repeating: 0, count: shape.reduce(1, *))
    try receive(into: &values)
    return (values, shape)
  }

  /// The bytes of dataset `name`: texts of a fixed width.
  func texts(_ name: String) throws(HDF5Error) -> (bytes: [UInt8], count: Int, width: Int) {
    try ask(.texts) { $0.put(name) }
    var message = try answer()
    let (count, width) = try understood { () throws(HDF5Message.Malformed) in
      let width = try message.count(most: HDF5Reader.longestText)
      return (try message.count(most: HDF5Reader.mostElements / max(1, width)), width)
    }
    var bytes = [UInt8](repeating: 0, count: count * width)
    try receive(into: &bytes)
    return (bytes, count, width)
  }

  // MARK: - Requests and answers

  private func ask(
    _ request: HDF5Server.Request, _ put: (inout HDF5Message) -> Void
  ) throws(HDF5Error) {
    var message = HDF5Message()
    message.put(request.rawValue)
    put(&message)
    try talking { try channel.send(.content, message) }
  }

  /// One answer, or the error that came in its place.
  private func answer() throws(HDF5Error) -> HDF5Message {
    let (kind, count) = try talking { try channel.head(wait) }
    let message = try message(of: count)
    guard kind == .fault else { return message }
    throw try fault(message)
  }

  /// Fills `output` with the parts in which numbers come.
  private func receive(into output: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    var done = 0
    while done < output.count {
      let (kind, count) = try talking { try channel.head(wait) }
      if kind == .fault { throw try fault(message(of: count)) }
      guard count > 0, count <= output.count - done else { throw failure(.strange) }
      try talking { try channel.receive(.init(rebasing: output[done..<done + count]), wait) }
      done += count
    }
  }

  private func receive<Element>(into output: inout [Element]) throws(HDF5Error) {
    try output.withUnsafeMutableBytes { bytes in
      Result { () throws(HDF5Error) in try receive(into: bytes) }
    }.get()
  }

  private func message(of count: Int) throws(HDF5Error) -> HDF5Message {
    guard count <= HDF5Child.longestAnswer else { throw failure(.strange) }
    var bytes = [UInt8](repeating: 0, count: count)
    try talking { try bytes.withUnsafeMutableBytes { try channel.receive($0, wait) } }
    return HDF5Message(bytes)
  }

  private func fault(_ message: HDF5Message) throws(HDF5Error) -> HDF5Error {
    try understood { () throws(HDF5Message.Malformed) in
      var message = message
      return .failed(file: path, operation: try message.text(), reason: try message.text())
    }
  }

  private func talking<Result>(
    _ body: () throws -> Result
  ) throws(HDF5Error) -> Result {
    do { return try body() } catch { throw failure(error as? HDF5Channel.Broken ?? .strange) }
  }

  private func understood<Result>(
    _ body: () throws(HDF5Message.Malformed) -> Result
  ) throws(HDF5Error) -> Result {
    do throws(HDF5Message.Malformed) { return try body() } catch { throw failure(.strange) }
  }

  // MARK: - The process

  /// Waits until there is something to read, or the process is gone; throws when it does nothing.
  private func wait() throws {
    var idle = 0
    var used = processorTime()
    while true {
      var descriptor = pollfd(fd: channel.socket, events: Int16(POLLIN), revents: 0)
      if poll(&descriptor, 1, 1000) != 0 { return }
      let now = processorTime()
      idle = now == used ? idle + 1 : 0
      used = now
      guard idle < HDF5Child.mostIdleSeconds else { throw HDF5Channel.Broken.idle }
    }
  }

  /// What the process has used of the processor, in nanoseconds.
  private func processorTime() -> Int {
    var clock = clockid_t()
    var time = timespec()
    guard clock_getcpuclockid(process, &clock) == 0, clock_gettime(clock, &time) == 0 else {
      return 0
    }
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }

  /// Ends the process, if it has not, and says how it ended.
  @discardableResult
  private func end() -> Int32 {
    status.withLock { status in
      if let status { return status }
      var code: Int32 = 0
      kill(process, SIGKILL)
      while waitpid(process, &code, 0) < 0 && errno == EINTR {}
      close(channel.socket)
      status = code
      return code
    }
  }

  /// Ends the process, since no answer came that makes sense, and says why none did.
  private func failure(_ broken: HDF5Channel.Broken) -> HDF5Error {
    let code = end(), signal = code & 0x7f
    switch broken {
    case .idle: return .ended(file: path, .idle(seconds: HDF5Child.mostIdleSeconds))
    case .gone where signal == SIGXCPU: return .ended(file: path, .tookLong)
    case .gone where signal != 0: return .ended(file: path, .crashed(signal: signal))
    case .gone, .strange: return .noReader(file: path, program: program)
    }
  }

  private static func start(
    _ program: String, _ path: String
  ) throws(HDF5Error) -> (pid_t, HDF5Channel) {
    var ends: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
      throw .failed(
        file: path, operation: "cannot start a process for it", reason: systemText(errno))
    }
    defer { close(ends[1]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var words: [UnsafeMutablePointer<CChar>?] =
      ([program, HDF5Server.word, path] as [String]).map { strdup($0) } + [nil]
    // A crash is told by the signal; nobody reads what Swift would print of it, for seconds.
    var variables: [UnsafeMutablePointer<CChar>?] = [strdup("SWIFT_BACKTRACE=enable=no")]
    var next = environ
    while let variable = next.pointee {
      if strncmp(variable, "SWIFT_BACKTRACE=", 16) != 0 { variables.append(strdup(variable)) }
      next += 1
    }
    variables.append(nil)
    defer { for text in words + variables { free(text) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, program, &actions, nil, &words, &variables)
    guard code == 0 else {
      close(ends[0])
      throw .failed(
        file: path, operation: "cannot start \(program) to read it", reason: systemText(code))
    }
    return (process, HDF5Channel(socket: ends[0]))
  }
}
