import Kernels
import TensorTypes
import Testing

@testable import Mixers

/// What everything that asks a form relies on, for every form that configurations can name.
struct MixerFormTests {
  private static let model = MixerModel(
    hiddenSize: 24, layout: HeadLayout(heads: 4, kvHeads: 2, dimension: 6), normEpsilon: 1e-5,
    branchNormEpsilon: 1e-6, queryFactor: 1, scoreCap: nil, sinkCount: 0, codesCache: false)

  /// A configuration with a window, and the usual sizes of everything else.
  private struct Usual: MixerParameters {
    struct NoFailure: Error {}

    func window() throws(NoFailure) -> Mixer.Window { Mixer.Window(size: 8) }
    func size(_ key: String, default usual: Int) throws(NoFailure) -> Int { usual }
  }

  /// Every kind's mixer; and what no configuration names.
  private static func mixers() throws -> [Mixer] {
    try Mixer.kinds.map { try #require(try Mixer(kind: $0, from: Usual())) } + [
      .gatedLinear(.merged)
    ]
  }

  @Test func `a kind names one form, whose mixer has that kind`() throws {
    #expect(Set(Mixer.kinds).count == Mixer.kinds.count)
    for form in Mixer.all {
      for kind in form.kinds {
        let mixer = try #require(try Mixer(kind: kind, from: Usual()))
        #expect(mixer.kind == kind)
        #expect(type(of: mixer.form) == form)
        #expect(mixer.window == nil || mixer.window == Mixer.Window(size: 8))
      }
    }
    #expect(try Mixer(kind: "none", from: Usual()) == nil)
  }

  @Test func `a tensor has a name, and a name a tensor`() throws {
    let tensors = Set(
      try Self.mixers().flatMap { $0.form.tensors(in: Self.model) }
        .map { TensorAddress($0.role, $0.parameter) })
    let named = Mixer.names.map { TensorAddress($0.role, $0.parameter) }
    #expect(tensors == Set(named))
    #expect(Set(named).count == named.count)
    #expect(Set(Mixer.names.map(\.name)).count == named.count)
    for mixer in try Self.mixers() {
      for tensor in mixer.form.tensors(in: Self.model) {
        #expect(tensor.name != nil, "\(mixer.kind) \(tensor.role)")
        #expect(tensor.shape.elementCount ?? 0 > 0)
        #expect(!tensor.part.isEmpty)
        // Only a map's input can be spiked, and only a matrix of more than norms is a map.
        #expect(tensor.spikingKey == nil || tensor.isMap, "\(mixer.kind) \(tensor.role)")
      }
    }
  }

  @Test func `a form remembers what it says`() throws {
    for mixer in try Self.mixers() {
      let state = MixerState(mixer, in: Self.model)
      #expect(mixer.isSoftmax == (state.cache != nil), "\(mixer.kind)")
      #expect(mixer.isLinear == !state.memory.isEmpty, "\(mixer.kind)")
      #expect(mixer.isSoftmax || mixer.isLinear)
      #expect(mixer.isHybrid == (mixer.isSoftmax && mixer.isLinear))
      #expect(mixer.isOnlyLinear == (mixer.isLinear && !mixer.isSoftmax))
      #expect(mixer.form.sizes.map(\.key).allSatisfy(type(of: mixer.form).sizeKeys.contains))
      #expect(!mixer.form.description.isEmpty)
    }
    let keys = try Self.mixers().map(\.key)
    #expect(Set(keys).count == keys.count)
  }

  @Test func `what may be nothing but zeros is what starts so`() {
    let gate = GatedLinear(gate: .lowRank(2)).tensors(in: Self.model)
    #expect(gate.filter(\.startsAtZero).map(\.role) == [.gateHigh])
    #expect(gate.filter(\.isMap).map(\.role) == [.gateLow, .gateHigh])
    let branches = ParallelBranches(window: nil).tensors(in: Self.model)
    #expect(branches.allSatisfy { !$0.startsAtZero && !$0.isMap })
  }

  @Test(arguments: [1, 2, 3, 5, 9])
  func `a recurrence is cut where the memory is emptied, and nowhere else`(_ every: Int) {
    var memory: [Float] = [0], runs: [Range<Int>] = []
    func outputs(_ pass: MixerPass) -> [Float] {
      runs = []
      // The sum of the positions since the memory was emptied.
      return pass.recurrence(over: 7, columns: 1, memory: &memory) { tokens, memory in
        runs.append(tokens)
        let output = FloatMatrix(rows: tokens.count, columns: 1)
        for (row, token) in tokens.enumerated() {
          memory[0] += Float(token)
          output[row][0] = memory[0]
        }
        return output
      }.values
    }
    #expect(outputs(MixerPass(angles: nil, position: 0)) == [0, 1, 3, 6, 10, 15, 21])
    #expect(runs == [0..<7])
    let position = 4
    let cut = outputs(
      MixerPass(angles: nil, position: position, ablation: .state(every: every)))
    var sum: Float = 21, expected: [Float] = []
    for token in 0..<7 {
      if (position + token) % every == 0 { sum = 0 }
      sum += Float(token)
      expected.append(sum)
    }
    #expect(cut == expected)
  }

  @Test func `a frozen parameter has no gradient`() {
    let parameter = Parameter(.outputNorm, .weight, [1, 2])
    #expect(parameter.gradientIfTrained?.count == 2)
    parameter.isTrained = false
    #expect(parameter.gradientIfTrained == nil)
  }
}
