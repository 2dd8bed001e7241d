import TestSupport
import Testing

@testable import Communication

struct LaunchTests {
  @Test(
    arguments: [
      ([:], nil),
      (
        ["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2"],
        .init(processes: 4, isFirst: false, isConnected: true)
      ),
      (["PMI_SIZE": "2", "PMI_RANK": "0"], .init(processes: 2, isFirst: true, isConnected: true)),
      (
        ["SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "0", "PMIX_RANK": "0"],
        .init(processes: 3, isFirst: true, isConnected: true)
      ),
      (
        ["SLURM_STEP_NUM_TASKS": "3", "SLURM_PROCID": "1"],
        .init(processes: 3, isFirst: false, isConnected: false)
      ),
    ] as [([String: String], Launch.Count?)])
  func `launchers are known by their variables`(
    _ environment: [String: String], _ count: Launch.Count?
  ) {
    #expect(Launch.count(environment) == count)
  }

  @Test func `a process alone is alone`() throws {
    #expect(try Launch.communicator([:]).size == 1)
  }

  #if !MPI
    @Test func `several processes are refused without MPI, by one of them`() throws {
      let first = ["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0"]
      #expect(throws: LaunchError.noMPI(processes: 2, isFirst: true)) {
        try Launch.communicator(first)
      }
      // One process under mpirun is no different from none.
      #expect(try Launch.communicator(["OMPI_COMM_WORLD_SIZE": "1"]).size == 1)
      let program = try RunningProgram(
        "/usr/bin/env",
        ["OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_RANK=1", Program.path, "tokenize", "--help"]
      ).wait()
      #expect(program.code == 2 && program.error.isEmpty && program.output.isEmpty)
    }
  #endif
}
