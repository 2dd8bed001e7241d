import Foundation
import Synchronization
import Testing

@testable import Kernels

extension KernelTests {
  @Suite struct ParallelTests {
    @Test func everyIndexOnce() {
      forEachThreadCount([1, 2, 3, 8]) { count in
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

    /// The ladder has no gaps, and no level above the CPU's can be chosen.
    @Test func everyLevelCanBeForced() {
      #expect(InstructionSet.available == InstructionSet.allCases.filter { $0 <= .detected })
      forEachInstructionSet { set in
        #expect(InstructionSet.current == set)
        #expect(ProductKernel.bfloat16.isAvailable == (set >= .avx512bf16))
        #expect(ProductKernel.amx.isAvailable == (set == .amx))
      }
      Execution.with(instructionSet: .amx) {
        #expect(InstructionSet.current == .detected)
      }
    }

    @Test func changesEndWithTheirScope() {
      let before = Execution.current
      Execution.with(threadCount: 0, precision: .bfloat16) {
        #expect(Parallel.threadCount == 1)
        Execution.with(threadCount: 5) {
          #expect(Parallel.threadCount == 5 && MatrixProduct.Precision.current == .bfloat16)
          #expect(InstructionSet.current == before.instructionSet)
        }
        #expect(Parallel.threadCount == 1)
      }
      #expect(Execution.current == before)
    }

    /// The threads of the pool work as their caller would, also for what they hand on themselves.
    @Test func threadsSeeTheirCallersChoice() {
      let start = Execution.current
      let seen = Mutex<Set<Execution>>([])
      let chosen = Execution(threadCount: 4, instructionSet: .generic, precision: .bfloat16)
      Execution.with(threadCount: 4, instructionSet: .generic, precision: .bfloat16) {
        Parallel.forEach(64) { _ in
          Parallel.forEach(3) { _ in _ = seen.withLock { $0.insert(.current) } }
          // Longer than it takes to wake the others.
          usleep(200)
        }
      }
      #expect(seen.withLock { $0 } == [chosen])
      // And keep nothing of it.
      let after = Mutex<Set<Execution>>([])
      Parallel.forEach(64) { _ in
        _ = after.withLock { $0.insert(.current) }
        usleep(200)
      }
      #expect(after.withLock { $0 } == [start])
    }

    /// Two tasks choose for themselves only.
    @Test func tasksDoNotDisturbEachOther() async {
      await withTaskGroup(of: Bool.self) { group in
        for count in 1...8 {
          group.addTask {
            Execution.with(threadCount: count, instructionSet: count % 2 == 0 ? .generic : nil) {
              (0..<200).allSatisfy { _ in
                usleep(10)
                return Parallel.threadCount == count
                  && (count % 2 == 1 || InstructionSet.current == .generic)
              }
            }
          }
        }
        for await undisturbed in group { #expect(undisturbed) }
      }
    }
  }
}
