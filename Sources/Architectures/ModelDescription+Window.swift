import Mixers
public import StrictJSON

extension ModelDescription {
  /// Makes every sliding window `size` tokens long, here and in the configuration that describes
  /// this model; returns whether there is a window at all.
  public mutating func setWindow(_ size: Int, in configuration: inout JSONObject) -> Bool {
    var found = false
    for layer in layers.indices {
      guard var window = layers[layer].mixer.window else { continue }
      window.size = size
      layers[layer].mixer = layers[layer].mixer.with(window)
      found = true
    }
    if found { configuration["sliding_window"] = .int(size) }
    return found
  }
}
