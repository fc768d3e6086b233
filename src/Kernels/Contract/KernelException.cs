namespace RepNoise.Kernels;

/// <summary>An operation was called with tensors that do not fit each other: a mistake in the calling code.</summary>
public sealed class ShapeException(string operation, string problem, string expected)
    : ArgumentException($"{operation}: {problem}; expected {expected}.")
{
    public string Operation { get; } = operation;
}

/// <summary>A device is absent, or cannot run an operation at these shapes or in this variant; the message says what can.</summary>
public sealed class DeviceException(string device, string problem, string remedy)
    : InvalidOperationException($"device {device}: {problem}. {remedy}")
{
    public string DeviceName { get; } = device;

    /// <summary>What is wrong, as a clause.</summary>
    public string Problem { get; } = problem;

    /// <summary>What to do.</summary>
    public string Remedy { get; } = remedy;
}
