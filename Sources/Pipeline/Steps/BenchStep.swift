import Foundation
import Foundations
import Kernels
import Runtime
public import StepSettings
import StrictJSON
import Verification

/// `bench`: speed of prefill and decoding.
public struct BenchStep: CheckStep {
  public static let name = "bench"
  public let settings: Settings<BenchKeys>

  public init(_ settings: Settings<BenchKeys>) { self.settings = settings }

  /// The longest text that is measured.
  private static let longest = 1 << 24

  public func check(_ path: String, source: String?, _ context: Context) throws -> Report {
    let lengths = try lengths(settings.prefill, option: "--prefill", from: 1)
    let positions = try self.lengths(settings.at, option: "--at", from: 0)
    let texts = try self.lengths(
      settings.sequences, option: "--sequences", from: 1, to: Model.segment)
    if texts != [1], !settings.against.isEmpty {
      throw InputError.option(
        "--sequences", value: settings.sequences,
        expected: "1 with --against, which decodes one text")
    }
    let others = settings.against.filter { FileManager.default.fileExists(atPath: $0) }
    let runnable = try RunnableModel(path, isLast: others.isEmpty, context)
    if let directory = settings.plot { try SpeedPlot.checkPlace(directory) }
    var probe = try SpeedProbe(runnable.model)
    var report: Report
    if settings.against.isEmpty {
      let prefills = try lengths.map { (tokens: $0, seconds: try probe.prefill($0)) }
      var decodes: [Decoding] = []
      for position in positions {
        for texts in texts {
          let seconds = try probe.decode(settings.decode, at: position, texts: texts)
          decodes.append(
            Decoding(at: position, texts: texts, rate: Double(texts * settings.decode) / seconds))
        }
      }
      if let directory = settings.plot {
        try SpeedPlot(
          prefill: [(name(of: path), prefills.map { (Double($0.tokens), $0.seconds) })],
          decode: [
            (
              name(of: path),
              decodes.filter { $0.texts == texts[0] }.map { (Double($0.at), $0.rate) }
            )
          ]
        ).write(to: directory, inputs: runnable.file.inputs)
      }
      report = self.report(prefills, decodes, stateBytes: probe.stateBytes)
    } else {
      report = try SpeedContest(
        runnable, probe, named: name(of: path), against: settings.against.map(context.local),
        context
      ).report(
        prefill: lengths, decode: settings.decode, at: positions, rounds: settings.rounds,
        plot: settings.plot)
    }
    if settings.kernels { addKernels(to: &report) }
    return report
  }

  /// How fast tokens came.
  private struct Decoding {
    /// Tokens that each text had.
    var at: Int
    /// Texts that were decoded together.
    var texts: Int
    /// Tokens per second of all texts.
    var rate: Double
  }

  private func name(of path: String) -> String { checkpointName(path) }

  /// The lengths in a list.
  private func lengths(
    _ list: String, option: String, from least: Int, to most: Int = longest
  ) throws -> [Int] {
    let lengths = try InputError.numbers(in: list, option: option)
    guard lengths.allSatisfy((least...most).contains) else {
      throw InputError.option(
        option, value: list, expected: "numbers from \(least) to \(most)")
    }
    return lengths
  }

  private func report(
    _ prefills: [(tokens: Int, seconds: Double)], _ decodes: [Decoding], stateBytes: Int
  ) -> Report {
    var table = Table(rightAligned: [1, 2])
    for (tokens, seconds) in prefills {
      table.add("prefill", "\(tokens)", fixed(Double(tokens) / seconds, 1), "tokens/s")
    }
    for decode in decodes {
      let together = decode.texts == 1 ? "" : " of \(decode.texts) texts"
      table.add("decode at", "\(decode.at)", fixed(decode.rate, 1), "tokens/s" + together)
    }
    let peak = ProcessUsage().peakMemory
    let prefill: [JSONValue] = prefills.map {
      [
        "tokens": .int($0.tokens), "seconds": .double($0.seconds),
        "tokensPerSecond": .double(Double($0.tokens) / $0.seconds),
      ]
    }
    let decode: [JSONValue] = decodes.map {
      ["at": .int($0.at), "sequences": .int($0.texts), "tokensPerSecond": .double($0.rate)]
    }
    return Report(
      json: [
        "prefill": .array(prefill), "decode": .array(decode),
        "stateBytes": .int(stateBytes), "peakBytes": .int(peak),
        "threads": .int(Parallel.threadCount),
        "instructionSet": .string("\(InstructionSet.current)"),
      ],
      text: table.text + "\nstate \(ByteSize(stateBytes)), peak memory \(ByteSize(peak))"
        + "\n\(counted(Parallel.threadCount, "thread")), \(InstructionSet.current)")
  }

  /// What each kernel of products reaches on one thread, and which of them products that may round their
  /// operands use.
  private func addKernels(to report: inout Report) {
    let fastest = ProductKernel.fastest
    var table = Table(rightAligned: [2])
    var kernels: [JSONValue] = []
    for kernel in ProductKernel.allCases where kernel.isAvailable {
      let rate = kernel.gigaflops
      let use =
        kernel == .float32
        ? "float32 operands" + (fastest == kernel ? ", and those that may be rounded" : "")
        : kernel == fastest ? "operands that may be rounded" : "not used"
      table.add("product", kernel.rawValue, fixed(rate, 1), "GFLOP/s per thread", use)
      kernels.append([
        "name": .string(kernel.rawValue), "gigaflops": .double(rate),
        "used": .bool(kernel == .float32 || kernel == fastest),
      ])
    }
    report.json["kernels"] = .array(kernels)
    report.text += "\n\n" + table.text
  }
}
