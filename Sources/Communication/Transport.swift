/// What carries numbers between the processes of one run, its ranks.
///
/// Every operation is called by all ranks, in the same order, each from one thread, and returns when
/// it is done for this rank.
public protocol Transport: Sendable {
  /// The number of this process, from 0.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }
  /// The largest `value` of all ranks.
  func maximum(_ value: Int) -> Int
  /// Gives all ranks the bytes of rank `root`; all have room for as many.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int)
  /// Gives all ranks the sums over all ranks, the same bits on each.
  func sum(_ values: UnsafeMutableBufferPointer<Double>)
  /// The same in float32.
  func sum(_ values: UnsafeMutableBufferPointer<Float>)
  /// Every rank's bytes on rank 0, in the order of ranks; nothing on the others.
  func gather(_ bytes: [UInt8]) -> [[UInt8]]
  /// The last operation of a run.
  func finish()
}
