import Checkpoints
import StrictJSON
import Testing

@testable import Pipeline

/// What a calibration measured, in a manifest.
struct SpikingRecordTests {
  @Test func `is written in its order without what is not known, and read again`() throws {
    var record = SpikingRecord(perplexityUnspiked: 10.5, perplexitySpiked: 11, divergence: 0.0234)
    let cost = try record.json()
    #expect(Array(cost.keys) == ["perplexity_unspiked", "perplexity_spiked", "kl"])
    #expect(JSONValue.object(cost).record(SpikingRecord.self) == record)
    #expect(record.text == "KL 0.0234 nats per token from the unspiked model")
    (record.channels, record.silentShare, record.spikesPerChannel) = (1000, 0.18, 1.13)
    (record.shareUpTo7, record.largestCount) = (0.94, 1 << 20)
    (record.sparsityOfThreeSteps, record.sparsityOfOwnLength) = (0.6, 0.69)
    (record.sparsityOfFixed, record.idleExperts) = (0.9, ["layer 1 expert 0"])
    (record.divergenceError, record.increaseError) = (0.001, 0.002)
    let all = try record.json()
    #expect(Array(all.keys) == SpikingRecord.CodingKeys.allCases.map(\.rawValue))
    #expect(JSONValue.object(all).record(SpikingRecord.self) == record)
    #expect(
      record.text
        == "KL 0.0234 ± 0.0010 nats per token from the unspiked model, 1.130 spikes per channel, "
        + "18.0% silent")
  }
}
