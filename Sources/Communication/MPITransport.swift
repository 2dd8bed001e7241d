#if MPI
  import CMPIShim

  /// The processes that `mpirun` or `srun` started, connected by MPI.
  final class MPITransport: Transport {
    let rank: Int
    let size: Int

    /// Starts MPI; called once, by the thread that calls everything else.
    init() {
      _ = cmpi_start()
      rank = Int(cmpi_rank())
      size = Int(cmpi_size())
    }

    func maximum(_ value: Int) -> Int { Int(cmpi_maximum(Int64(value))) }

    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {
      cmpi_broadcast(bytes.baseAddress, Int64(bytes.count), Int32(root))
    }

    func sum(_ values: UnsafeMutableBufferPointer<Double>) {
      cmpi_sum_doubles(values.baseAddress, Int64(values.count))
    }

    func sum(_ values: UnsafeMutableBufferPointer<Float>) {
      cmpi_sum_floats(values.baseAddress, Int64(values.count))
    }

    func gather(_ bytes: [UInt8]) -> [[UInt8]] {
      var counts = [Double](repeating: 0, count: size)
      counts[rank] = Double(bytes.count)
      counts.withUnsafeMutableBufferPointer { sum($0) }
      let total = rank == 0 ? counts.reduce(0, +) : 0
      var all = [UInt8](repeating: 0, count: Int(total))
      cmpi_gather(bytes, counts.map { Int32($0) }, &all)
      guard rank == 0 else { return [] }
      var rest = all[...]
      return counts.map { count in
        defer { rest = rest.dropFirst(Int(count)) }
        return Array(rest.prefix(Int(count)))
      }
    }

    func finish() { cmpi_finish() }
  }
#endif
