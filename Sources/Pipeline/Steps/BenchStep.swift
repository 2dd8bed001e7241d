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
    let runnable = try RunnableModel(path, context)
    if let directory = settings.plot { try SpeedPlot.checkPlace(directory) }
    var probe = try SpeedProbe(runnable.model)
    var report: Report
    if settings.against.isEmpty {
      let prefills = try lengths.map { (tokens: $0, seconds: try probe.prefill($0)) }
      let decodes = try positions.map { position in
        (
          at: position,
          rate: Double(settings.decode) / (try probe.decode(settings.decode, at: position))
        )
      }
      if let directory = settings.plot {
        try SpeedPlot(
          prefill: [(name(of: path), prefills.map { (Double($0.tokens), $0.seconds) })],
          decode: [(name(of: path), decodes.map { (Double($0.at), $0.rate) })]
        ).write(to: directory, inputs: runnable.file.inputs)
      }
      report = self.report(prefills, decodes, stateBytes: probe.stateBytes)
    } else {
      report = try SpeedContest(
        runnable, probe, named: name(of: path), against: settings.against, context
      ).report(
        prefill: lengths, decode: settings.decode, at: positions, rounds: settings.rounds,
        plot: settings.plot)
    }
    if settings.kernels { addKernels(to: &report) }
    return report
  }

  private func name(of path: String) -> String { URL(fileURLWithPath: path).lastPathComponent }

  /// The lengths in a list.
  private func lengths(_ list: String, option: String, from least: Int) throws -> [Int] {
    let lengths = try InputError.numbers(in: list, option: option)
    guard lengths.allSatisfy((least...Self.longest).contains) else {
      throw InputError.option(
        option, value: list, expected: "lengths from \(least) to \(Self.longest)")
    }
    return lengths
  }

  private func report(
    _ prefills: [(tokens: Int, seconds: Double)], _ decodes: [(at: Int, rate: Double)],
    stateBytes: Int
  ) -> Report {
    var table = Table(rightAligned: [1, 2])
    for (tokens, seconds) in prefills {
      table.add("prefill", "\(tokens)", fixed(Double(tokens) / seconds, 1), "tokens/s")
    }
    for (at, rate) in decodes { table.add("decode at", "\(at)", fixed(rate, 1), "tokens/s") }
    let peak = peakMemory()
    let prefill: [JSONValue] = prefills.map {
      [
        "tokens": .int($0.tokens), "seconds": .double($0.seconds),
        "tokensPerSecond": .double(Double($0.tokens) / $0.seconds),
      ]
    }
    let decode: [JSONValue] = decodes.map {
      ["at": .int($0.at), "tokensPerSecond": .double($0.rate)]
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
