import Foundation
import Recipes

/// How many gradient steps each layer gets.
struct TimeBudget {
  let settings: HealSettings
  let layers: Int

  /// Steps for `layer`: the same for all.
  func steps(forLayer layer: Int) -> Int { settings.steps }
}
