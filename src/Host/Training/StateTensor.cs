using RepNoise.Kernels;

namespace RepNoise.Host.Training;

/// <summary>A tensor that a run must carry from one step to the next, under the name that a checkpoint gives it.</summary>
/// <param name="Name">Unique among the state of a run: <c>model.norm.weight.exp_avg</c>.</param>
/// <param name="Shape">As a checkpoint lists it.</param>
/// <param name="Values">The values on the device.</param>
public sealed record StateTensor(string Name, IReadOnlyList<long> Shape, Tensor Values);
