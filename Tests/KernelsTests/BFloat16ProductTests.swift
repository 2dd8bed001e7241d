import TensorTypes
import Testing

@testable import Kernels

extension KernelTests {
  /// Products with `precision: .bfloat16`: exact operands where the CPU has the instruction,
  /// float32 where it has not.
  @Suite struct BFloat16ProductTests {
    /// A product in memory: operands with gaps between rows, and what C holds beforehand.
    struct Case {
      let form: MatrixProduct.Form
      let m, n, k: Int
      var a, b, old: [Float]
      var aStride: Int { (form == .transposedLeft ? m : k) + 3 }
      var bStride: Int { (form == .transposedRight ? k : n) + 2 }

      init(_ form: MatrixProduct.Form, _ m: Int, _ n: Int, _ k: Int) {
        (self.form, self.m, self.n, self.k) = (form, m, n, k)
        var random = Random(UInt64(m * 31 + n * 7 + k))
        (a, b, old) = ([], [], random.normals(m * (n + 1)))
        a = random.normals((form == .transposedLeft ? k : m) * aStride)
        b = random.normals((form == .transposedRight ? n : k) * bStride)
        // Gaps must not be read into results.
        for r in 0..<a.count / aStride { for g in 1...3 { a[(r + 1) * aStride - g] = .nan } }
        for r in 0..<b.count / bStride { for g in 1...2 { b[(r + 1) * bStride - g] = .nan } }
      }

      /// C, whose rows have one element more than the product; not adding, it starts as NaN.
      func start(adding: Bool) -> [Float] {
        old.indices.map { !adding && $0 % (n + 1) < n ? .nan : old[$0] }
      }

      func product(adding: Bool, _ precision: MatrixProduct.Precision) -> [Float] {
        var c = start(adding: adding)
        MatrixProduct.multiply(
          form, a, aStride: aStride, b, bStride: bStride, m: m, n: n, k: k, adding: adding,
          into: &c, cStride: n + 1, precision: precision)
        return c
      }

      /// The kernel itself, also at sizes for which `multiply` prefers float32.
      func kernelProduct(_ kernel: ProductKernel, adding: Bool) -> [Float] {
        var c = start(adding: adding)
        Product.multiply(
          form, a, stride: aStride, b, stride: bStride, m: m, n: n, k: k, adding: adding,
          into: &c, stride: n + 1, by: kernel)
        return c
      }

      func reference(adding: Bool, _ precision: MatrixProduct.Precision) -> [Float] {
        var c = start(adding: adding)
        MatrixProduct.reference(
          form, a, aStride: aStride, b, bStride: bStride, m: m, n: n, k: k, adding: adding,
          into: &c, cStride: n + 1, precision: precision)
        return c
      }

      /// The same sums over absolute values: the scale of errors of accumulation.
      func magnitudes(adding: Bool) -> [Float] {
        var copy = self
        copy.a = a.map { abs($0) }
        copy.b = b.map { abs($0) }
        copy.old = old.map { abs($0) }
        return copy.reference(adding: adding, .bfloat16)
      }
    }

    static let sizes = [
      (1, 1, 1), (7, 31, 33), (33, 7, 1), (1, 577, 31), (31, 33, 577), (577, 49, 7), (8, 48, 32),
      (9, 95, 1153), (40, 1201, 34), (17, 640, 609),
    ]

    /// The kernels that round and run here, the model of AMX among them.
    private static let kernels = ProductKernel.allCases.filter {
      $0.rounds && ($0.isAvailable || $0 == .amxModel)
    }

    @Test(arguments: MatrixProduct.Form.allCases, kernels)
    func kernelMatchesRoundedReference(form: MatrixProduct.Form, kernel: ProductKernel) {
      for (m, n, k) in Self.sizes {
        let product = Case(form, m, n, k)
        for adding in [false, true] {
          let c = product.kernelProduct(kernel, adding: adding)
          let expected = product.reference(adding: adding, .bfloat16)
          let scale = product.magnitudes(adding: adding)
          #expect(
            c.indices.allSatisfy { abs(c[$0] - expected[$0]) <= 5e-7 * scale[$0] },
            "\(m) \(n) \(k) \(adding)")
          #expect((0..<m).allSatisfy { c[$0 * (n + 1) + n] == product.old[$0 * (n + 1) + n] })
        }
      }
    }

    /// The parameter reaches the kernel, on any number of threads and in parts of k.
    @Test(.enabled(if: ProductKernel.fastest.rounds), arguments: MatrixProduct.Form.allCases)
    func multiplyRoundsOperands(form: MatrixProduct.Form) {
      for (m, n, k) in [(130, 209, 257), (33, 65, 3001)] {
        let product = Case(form, m, n, k)
        for adding in [false, true] {
          let expected = product.reference(adding: adding, .bfloat16)
          forEachThreadCount([1, 2, 5]) { count in
            let c = product.product(adding: adding, .bfloat16)
            #expect(relativeError(c, expected) < 1e-6, "\(m) \(n) \(k) \(adding) \(count)")
            #expect(c == product.product(adding: adding, .bfloat16))
          }
        }
        // What rounding costs, as documented.
        let exact = product.reference(adding: false, .float32)
        let rounded = product.reference(adding: false, .bfloat16)
        var error = 0.0, total = 0.0
        for i in exact.indices where i % (n + 1) < n {
          error += Double(rounded[i] - exact[i]) * Double(rounded[i] - exact[i])
          total += Double(exact[i]) * Double(exact[i])
        }
        #expect((1.5e-3...3e-3).contains((error / total).squareRoot()))
      }
    }

    @Test func fallsBackToFloat32() {
      forEachInstructionSet { set in
        guard set < .avx512bf16 else { return }
        #expect(ProductKernel.fastest == .float32)
        for form in MatrixProduct.Form.allCases {
          let product = Case(form, 64, 70, 80)
          #expect(
            product.product(adding: true, .bfloat16) == product.product(adding: true, .float32))
        }
      }
      // Too small to pay, and no terms at all.
      for (m, n, k) in [(15, 600, 600), (600, 15, 600), (600, 600, 15), (33, 31, 33), (5, 3, 0)] {
        let product = Case(.plain, m, n, k)
        #expect(
          product.product(adding: true, .bfloat16) == product.product(adding: true, .float32))
      }
    }

    /// Rounding is to nearest even and keeps NaN (whatever its payload), infinity and signs; a NaN
    /// or an infinity reaches its row or column of C and no other.
    @Test(arguments: MatrixProduct.Form.allCases, kernels)
    func specialValues(form: MatrixProduct.Form, kernel: ProductKernel) {
      let tie: Float = 1 + 1 / 256, odd: Float = 1 + 3 / 256
      let specials: [Float] = [
        .infinity, -.infinity, .nan, Float(bitPattern: 0x7f80_0001), Float(bitPattern: 0xff80_ffff),
        Float(bitPattern: 0x7fff_ffff), .greatestFiniteMagnitude, tie, odd, tie.nextUp, -tie, -0.0,
      ]
      let m = specials.count + 5, n = 50, k = 37
      // Row i of A is specials[i] at index i of k and zero elsewhere; B is all ones.
      var product = Case(form, m, n, k)
      for i in 0..<m {
        for p in 0..<k {
          product.a[form == .transposedLeft ? p * product.aStride + i : i * product.aStride + p] =
            i == p && i < specials.count ? specials[i] : 0
        }
      }
      product.b = product.b.map { $0.isNaN ? $0 : 1 }
      let c = product.kernelProduct(kernel, adding: false)
      for i in 0..<m {
        let value = i < specials.count ? specials[i] : 0
        let expected = FloatCast.float(bfloat16: FloatCast.bfloat16(value))
        for j in 0..<n {
          let got = c[i * (n + 1) + j]
          #expect(got == expected || (got.isNaN && value.isNaN), "\(value) gave \(got)")
        }
      }
      // And in B: a NaN at one index of one column.
      product = Case(form, 20, n, k)
      product.b[form == .transposedRight ? 41 * product.bStride + 36 : 36 * product.bStride + 41] =
        Float(bitPattern: 0xffff_0001)
      let d = product.kernelProduct(kernel, adding: false)
      #expect(
        (0..<20).allSatisfy { i in (0..<n).allSatisfy { d[i * (n + 1) + $0].isNaN == ($0 == 41) } })
    }

    /// Stored weights of every kind, in both row orders, at and around the sizes that round.
    @Test(arguments: [ScalarType.bfloat16, .float32, .float16, .q8_0])
    func linearLayers(type: ScalarType) {
      for (rows, order) in [(131, RowOrder.stored), (720, .interleavedRotary(headDim: 12))] {
        let columns = type.isQuantised ? 96 : 77, tokens = 70
        let weight = randomTensor(type, rows: rows, columns: columns, rowOrder: order, seed: 8)
        var random = Random(9)
        let x = random.normals(tokens * (columns + 3)), bias = random.normals(rows)
        var values = poisoned(rows * columns)
        RowDecoder.reference(weight, rows: 0..<rows, into: &values)
        var expected = poisoned(tokens * rows)
        for t in 0..<tokens { for r in 0..<rows { expected[t * rows + r] = bias[r] } }
        MatrixProduct.reference(
          .transposedRight, x, aStride: columns + 3, values, m: tokens, n: rows, k: columns,
          adding: true, into: &expected,
          precision: ProductKernel.fastest.rounds ? .bfloat16 : .float32)
        for weight in [weight, weight.rounded(to: .bfloat16)]
        where weight.rounding == nil || type == .bfloat16 {
          var y = poisoned(tokens * rows)
          Linear.apply(
            weight: weight, bias: bias, input: x, inputStride: columns + 3, tokens: tokens,
            output: &y, precision: .bfloat16)
          #expect(relativeError(y, expected) < 1e-6, "\(rows)")
        }
      }
    }
  }
}
