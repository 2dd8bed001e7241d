import ArgumentParser
import Kernels
import Runtime
import StrictJSON
import TensorTypes
import Verification

/// `bench`: speed of prefill and decoding.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures prefill and decoding speed; prints nothing when its own check fails.")

  @Argument(help: "The checkpoint.")
  var ckpt: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Prompt lengths, such as 512,4096.", valueName: "lengths"))
  var prefill = "512"

  @Option(parsing: .unconditional, help: "Tokens to decode at each length of --at.")
  var decode = 32

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Text lengths at which decoding is measured.", valueName: "lengths"))
  var at = "0"

  @Option(parsing: .unconditional, help: "Threads; default: all processors.")
  var threads: Int?

  /// The longest text that is measured.
  private static let longest = 1 << 24

  @OptionGroup var reporting: ReportOptions

  func run() throws {
    guard threads ?? 1 >= 1 else {
      throw InputError.option("--threads", value: "\(threads ?? 0)", expected: "1 or more")
    }
    let (lengths, positions) = try checkedLengths()
    if let threads { Parallel.threadCount = threads }
    let runnable = try RunnableModel(ckpt)
    let model = runnable.model
    var probe = try SpeedProbe(model)
    let prefills = try lengths.map { (tokens: $0, seconds: try probe.prefill($0)) }
    let decodes = try positions.map { position in
      (at: position, rate: Double(decode) / (try probe.decode(decode, at: position)))
    }
    report(prefills, decodes, stateBytes: probe.stateBytes)
  }

  /// The lengths of --prefill and --at.
  private func checkedLengths() throws -> (prefill: [Int], at: [Int]) {
    guard decode > 0 else {
      throw InputError.option("--decode", value: "\(decode)", expected: "1 or more")
    }
    let lengths = try InputError.numbers(in: prefill, option: "--prefill")
    guard lengths.allSatisfy((1...Self.longest).contains) else {
      throw InputError.option(
        "--prefill", value: prefill, expected: "lengths from 1 to \(Self.longest)")
    }
    let positions = try InputError.numbers(in: at, option: "--at")
    guard positions.allSatisfy((0...Self.longest).contains) else {
      throw InputError.option("--at", value: at, expected: "lengths from 0 to \(Self.longest)")
    }
    return (lengths, positions)
  }

  private func report(
    _ prefills: [(tokens: Int, seconds: Double)], _ decodes: [(at: Int, rate: Double)],
    stateBytes: Int
  ) {
    var table = Table(rightAligned: [1, 2])
    for (tokens, seconds) in prefills {
      table.add("prefill", "\(tokens)", fixed(Double(tokens) / seconds, 1), "tokens/s")
    }
    for (at, rate) in decodes { table.add("decode at", "\(at)", fixed(rate, 1), "tokens/s") }
    let peak = peakMemory()
    reporting.report(
      [
        "prefill": .array(
          prefills.map {
            [
              "tokens": .int($0.tokens), "seconds": .double($0.seconds),
              "tokensPerSecond": .double(Double($0.tokens) / $0.seconds),
            ]
          }),
        "decode": .array(
          decodes.map { ["at": .int($0.at), "tokensPerSecond": .double($0.rate)] }),
        "stateBytes": .int(stateBytes), "peakBytes": .int(peak),
        "blas": ["core": .string(BLAS.core), "library": .string(BLAS.library)],
      ],
      text: table.text + "\nstate \(ByteSize(stateBytes)), peak memory \(ByteSize(peak))"
        + "\nOpenBLAS core \(BLAS.core)")
  }
}
