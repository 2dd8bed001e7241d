print("spikingbrain")
