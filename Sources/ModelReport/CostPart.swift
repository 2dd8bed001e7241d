import Architectures
import Checkpoints
import Foundations
import ModelFiles
import Pipeline
import Reporting
import Runtime
import StrictJSON
import TensorTypes

extension ReportSubject {
  /// Tokens of the prompt and of the answer that are timed.
  private static let promptLength = 256, answerLength = 32

  /// What the checkpoint takes: bytes, and time on this machine.
  func costPart(timed: Bool) throws -> ReportPart {
    let sizes = file.types.map { [$0.type.rawValue, ByteSize($0.bytes).description] }
    var blocks: [Section.Block] = [
      .table(
        Grid(
          ["stored as", "bytes"],
          rows: sizes + [["together", ByteSize(file.byteCount).description]], numbers: [1]))
    ]
    var json = JSONObject([
      ("bytes", .int(file.byteCount)),
      ("types", .object(JSONObject(file.types.map { ($0.type.rawValue, .int($0.bytes)) }))),
    ])
    if let quantization = model.quantization {
      let codes = codeBytes(quantization.codes)
      let share = Double(codes.bytes) / Double(codes.asBFloat16)
      blocks.append(
        .text(
          """
          Projections in \(quantization.codes.text) take \(ByteSize(codes.bytes).description) with their \
          scales, \(fixed(share, 4)) of the \(ByteSize(codes.asBFloat16).description) that bfloat16 would take.
          """))
      json[quantization.codes.rawValue] = [
        "bytes": .int(codes.bytes), "as_bfloat16": .int(codes.asBFloat16), "share": .double(share),
      ]
    } else {
      blocks.append(
        .note(
          """
          No weights as integers: <code>spikingbrain calibrate CKPT OUT --text FILE --weights int8</code> \
          (or int4) stores them.
          """))
    }
    if timed {
      let speed = try measured()
      blocks.append(contentsOf: speed.blocks)
      json["time"] = speed.json
    } else {
      blocks.append(.note("Not timed, as <code>--no-timing</code> asked."))
    }
    return ReportPart(section: Section("cost", "Bytes and time", blocks), json: .object(json))
  }

  /// What quantised weights take with their scales, and would take in bfloat16.
  private func codeBytes(_ codes: WeightCodes) -> (bytes: Int, asBFloat16: Int) {
    var bytes = 0, weights = 0
    for (address, tensor) in file.tensors where model.quantization(of: address) != nil {
      switch address.parameter {
      case .weight:
        bytes += tensor.byteCount
        weights += codes.perElement * (tensor.shape.elementCount ?? 0)
      case .scale: bytes += tensor.byteCount
      case .bias: break
      }
    }
    return (bytes, 2 * weights)
  }

  private func measured() throws -> (blocks: [Section.Block], json: JSONValue) {
    var probe = try SpeedProbe(runnable())
    let prefill = Double(Self.promptLength) / (try probe.prefill(Self.promptLength))
    let decode =
      Double(Self.answerLength)
      / (try probe.decode(Self.answerLength, at: Self.promptLength))
    let place = machine()
    let table = Grid(
      ["", "tokens/s"],
      rows: [
        ["prefill of \(Self.promptLength) tokens", fixed(prefill, 1)],
        ["decoding \(Self.answerLength) tokens after them", fixed(decode, 1)],
      ], numbers: [1])
    let blocks: [Section.Block] = [
      .table(table),
      .note(
        """
        Measured once while this page was made, with whatever else the machine was doing: \(place); \
        state \(ByteSize(probe.stateBytes).description). <code>spikingbrain bench</code> measures more.
        """),
    ]
    return (
      blocks,
      [
        "prefill_tokens_per_second": .double(prefill), "decode_tokens_per_second": .double(decode),
        "prompt": .int(Self.promptLength), "state_bytes": .int(probe.stateBytes),
        "machine": .string(place),
      ]
    )
  }
}
