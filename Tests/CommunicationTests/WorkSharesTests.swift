import Testing

@testable import Communication

struct WorkSharesTests {
  @Test func `the largest pieces go first, each to whoever has least`() {
    let shares = WorkShares([3, 9, 4, 4, 1], ranks: 2)
    #expect(shares.owners == [1, 0, 1, 1, 0])
    #expect(shares.totals == [10, 11])
  }

  @Test func `every piece has one owner, whatever the numbers`() {
    for ranks in 1...5 {
      for count in 0...7 {
        let sizes = (0..<count).map { $0 % 3 }
        let shares = WorkShares(sizes, ranks: ranks)
        #expect(shares.owners.count == count)
        #expect(shares.owners.allSatisfy { (0..<ranks).contains($0) })
        for rank in 0..<ranks {
          let own = zip(sizes, shares.owners).reduce(0) { $0 + ($1.1 == rank ? $1.0 : 0) }
          #expect(own == shares.totals[rank])
        }
      }
    }
  }

  @Test func `equal pieces are spread evenly`() {
    let shares = WorkShares([Int](repeating: 5, count: 8), ranks: 4)
    #expect(shares.totals == [10, 10, 10, 10])
  }
}
