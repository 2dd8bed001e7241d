import Kernels

/// What one layer remembers of a text: keys and values, numbers of a fixed size, or both.
public struct MixerState: Sendable {
  /// Keys and values of softmax attention; nil without it.
  public package(set) var cache: KeyValueCache?
  /// The memory of linear attention; empty without it.
  public package(set) var memory: [Float]

  /// What `mixer` remembers of nothing.
  public init(_ mixer: Mixer, in model: MixerModel) {
    let form = mixer.form
    memory = [Float](repeating: 0, count: form.memoryCount(in: model))
    if form.hasCache {
      cache = KeyValueCache(
        windowKeys: form.window?.keys, width: model.layout.keyWidth, sinkCount: model.sinkCount,
        codedHeads: model.codesCache ? model.layout.kvHeads : nil)
    }
  }

  /// Bytes of memory held.
  public var byteCount: Int { memory.count * MemoryLayout<Float>.stride + (cache?.byteCount ?? 0) }

  /// All of its numbers, for saving: the memory; then keys and values in order of position, the sinks'
  /// first.
  public var saved: [Float] { memory + (cache?.saved ?? []) }

  /// How many numbers `saved` has at `position`.
  public func savedCount(position: Int) -> Int {
    memory.count + (cache?.savedCount(position: position) ?? 0)
  }

  /// Puts back what `saved` returned at `position`; false when the numbers do not fit.
  public mutating func restore(_ saved: [Float], position: Int) -> Bool {
    guard saved.count == savedCount(position: position) else { return false }
    memory = Array(saved[..<memory.count])
    return cache?.restore(Array(saved[memory.count...]), position: position) ?? true
  }
}
