import Kernels
import Synchronization
import Testing

extension KernelTests {
  @Suite struct ParallelTests {
    @Test func everyIndexOnce() {
      let threads = Parallel.threadCount
      defer { Parallel.threadCount = threads }
      for count in [1, 2, 3, 8] {
        Parallel.threadCount = count
        for work in [0, 1, 2, 7, 1000] {
          let seen = Mutex([Int](repeating: 0, count: work))
          Parallel.forEach(work) { index in seen.withLock { $0[index] += 1 } }
          #expect(seen.withLock { $0.allSatisfy { $0 == 1 } })
          for (granularity, minimum) in [(1, 1), (16, 1), (7, 100)] {
            let covered = Mutex([Int](repeating: 0, count: work))
            Parallel.ranges(work, granularity: granularity, minimum: minimum) { range in
              #expect(range.lowerBound % granularity == 0)
              covered.withLock { covered in for i in range { covered[i] += 1 } }
            }
            #expect(covered.withLock { $0.allSatisfy { $0 == 1 } })
          }
        }
      }
    }

    @Test func lowerInstructionSetsCanBeForced() {
      defer { InstructionSet.current = .detected }
      for set in InstructionSet.available {
        InstructionSet.current = set
        #expect(InstructionSet.current == set)
      }
      InstructionSet.current = .avx512
      #expect(InstructionSet.current == .detected)
    }
  }
}
