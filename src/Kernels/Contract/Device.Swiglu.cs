namespace RepNoise.Kernels;

/// <summary>Family swiglu (Shazeer, arXiv 2002.05202): <c>silu(gate) * up</c> with <c>silu(z) = z / (1 + exp(-z))</c>.</summary>
public abstract partial class Device
{
    /// <summary>output = silu(gate) * up, all (N, F).</summary>
    public void SwigluForward(Tensor output, Tensor gate, Tensor up)
    {
        Check.Shape(nameof(SwigluForward), output, gate.Rows, gate.Columns);
        Check.Shape(nameof(SwigluForward), up, gate.Rows, gate.Columns);
        using var observed = listener is null ? default : Observe(nameof(SwigluForward), SwigluForwardCost(gate.Length, Size(gate)));
        SwigluForwardCore(output, gate, up);
    }

    /// <summary>
    /// dUp = dOutput * silu(gate); dGate = dOutput * up * s * (1 + gate * (1 - s)) with s = 1 / (1 + exp(-gate)). All (N, F);
    /// dGate may be gate itself and dUp may be up itself.
    /// </summary>
    public void SwigluBackward(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up)
    {
        Check.Shape(nameof(SwigluBackward), dGate, gate.Rows, gate.Columns);
        Check.Shape(nameof(SwigluBackward), dUp, gate.Rows, gate.Columns);
        Check.Shape(nameof(SwigluBackward), dOutput, gate.Rows, gate.Columns);
        Check.Shape(nameof(SwigluBackward), up, gate.Rows, gate.Columns);
        using var observed = listener is null ? default : Observe(nameof(SwigluBackward), SwigluBackwardCost(gate.Length, Size(gate)));
        SwigluBackwardCore(dGate, dUp, dOutput, gate, up);
    }

    public static OpCost SwigluForwardCost(long length, int size) => new(5.0 * length, 3.0 * length * size);

    public static OpCost SwigluBackwardCost(long length, int size) => new(11.0 * length, 5.0 * length * size);

    protected abstract void SwigluForwardCore(Tensor output, Tensor gate, Tensor up);

    protected abstract void SwigluBackwardCore(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up);
}
