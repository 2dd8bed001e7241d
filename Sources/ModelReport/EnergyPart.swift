import Architectures
import Foundations
import Pipeline
import Reporting
import Spiking
import StrictJSON

extension ReportSubject {
  /// What the report's energy model says of this model's own spikes.
  var energyPart: ReportPart {
    let title = "Energy, estimated"
    guard let calibration, calibration.statistics().channels > 0 else {
      return .absent(
        "energy", title,
        """
        Needs the spikes per channel in calibration.h5: <code>spikingbrain calibrate CKPT OUT --text \
        FILE</code> measures them.
        """)
    }
    let spikes = calibration.statistics { $0.group != .rotatedQuery }.spikesPerChannel(.bitwise)
    let energy = SpikeEnergy(of: model, record: calibration), total = energy.total
    let half = total.products * SpikeEnergy.halfPrecisionMAC
    let int8 = total.products * SpikeEnergy.int8MAC
    let spiked = total.additions * SpikeEnergy.int8Addition
    // Neurons that more weights read count more here than in the mean over neurons.
    let perProduct = total.additions / max(total.products, 1)
    func saving(_ from: Double, _ to: Double) -> String {
      to < from ? "\(fixed(100 * (1 - to / from), 1))%" : ""
    }
    func microjoule(_ energy: Double) -> String {
      let value = energy * 1e-6
      return "\(fixed(value, value < 0.1 ? 4 : value < 10 ? 2 : 0)) µJ"
    }
    func row(_ name: String, channel: Double, token: Double) -> [String] {
      [
        name, "\(fixed(channel, 3)) pJ", microjoule(token),
        saving(SpikeEnergy.halfPrecisionMAC, channel), saving(SpikeEnergy.int8MAC, channel),
      ]
    }
    let table = Grid(
      ["", "per channel and weight", "per token", "below FP16", "below INT8"],
      rows: [
        row("FP16 multiply-add", channel: SpikeEnergy.halfPrecisionMAC, token: half),
        row("INT8 multiply-add", channel: SpikeEnergy.int8MAC, token: int8),
        row(
          "INT8 additions, one per spike", channel: SpikeEnergy.perChannel(spikes: perProduct),
          token: spiked),
        ["report, 1.13 spikes per channel", "0.034 pJ", "", "97.7%", "85.2%"],
      ], numbers: [1, 2, 3, 4])
    return ReportPart(
      section: Section(
        "energy", title,
        [
          .text(
            """
            The report's model (section 5.5), a 45 nm process: FP16 multiply-add 1.5 pJ, INT8 \
            multiply-add 0.23 pJ, INT8 addition 0.03 pJ; a channel costs its spikes times 0.03 pJ for each \
            weight that reads it. That is \(fixed(perProduct, 3)) additions in the place of a product: \
            a neuron sends \(fixed(spikes, 3)) spikes in the mean, and some are read by more weights.
            """),
          .table(table), .figure(Self.figure(energy, depth: model.layers.count)),
          .note(
            """
            An estimate of arithmetic, measured on no chip. It counts the projections that are spiked \
            (\(count(Int(total.products))) weights per token). It leaves out memory traffic, \
            which costs more than arithmetic on most machines; attention scores and recurrent states; \
            norms, routers, thresholds and the multiplication by V_th; the output head \
            (\(count(Int(energy.headProducts))) weights per token, \
            \(microjoule(energy.headProducts * SpikeEnergy.halfPrecisionMAC)) in FP16); and \
            what event-driven hardware pays for each event. This program runs spikes on a CPU, where none \
            of this is saved.
            """),
        ]),
      json: [
        "spikes_per_channel": .double(spikes), "additions_per_product": .double(perProduct),
        "picojoule_per_channel": .double(SpikeEnergy.perChannel(spikes: perProduct)),
        "below_fp16": .double(
          SpikeEnergy.saving(spikes: perProduct, against: SpikeEnergy.halfPrecisionMAC)),
        "below_int8": .double(SpikeEnergy.saving(spikes: perProduct, against: SpikeEnergy.int8MAC)),
        "products_per_token": .double(total.products),
        "microjoule_per_token": [
          "fp16": .double(half * 1e-6), "int8": .double(int8 * 1e-6),
          "spikes": .double(spiked * 1e-6),
        ],
      ])
  }

  private static func figure(_ energy: SpikeEnergy, depth: Int) -> Figure {
    func series(
      _ name: String, color: Int, _ value: (SpikeEnergy.Layer) -> Double
    ) -> Series {
      Series(
        name, energy.layers.map { .init(Double($0.layer), value($0) * 1e-6) }, color: color)
    }
    let all = [
      series("FP16 multiply-add", color: 1) { $0.products * SpikeEnergy.halfPrecisionMAC },
      series("INT8 multiply-add", color: 2) { $0.products * SpikeEnergy.int8MAC },
      series("INT8 additions per spike", color: 0) { $0.additions * SpikeEnergy.int8Addition },
    ]
    let chart = Chart(
      "Estimated energy per token and layer", x: .layers(depth),
      y: Axis(
        "µJ per token", covering: all.flatMap(\.points).map(\.y), scale: .logarithmic), all)
    return Figure(
      "energy", chart.drawing,
      caption: "Estimated energy of a layer's projections per token, on a logarithmic axis.")
  }
}
