namespace RepNoise.Kernels.Cuda;

/// <summary>Family swiglu.</summary>
internal sealed class Swiglu(CudaContext context)
{
    private const string Family = "swiglu";
    private const int Threads = 256;

    private readonly CudaKernel<ForwardArguments> forward = new(context, Family, $"swiglu_forward_{context.Suffix}", Threads);
    private readonly CudaKernel<BackwardArguments> backward = new(context, Family, $"swiglu_backward_{context.Suffix}", Threads);

    public void Forward(Tensor output, Tensor gate, Tensor up)
    {
        bool flat = Packs.CanFlatten(output, gate, up);
        var to = Packs.Argument(output, flat);
        forward.Launch(Packs.Over(to.Rows, to.Columns, Threads), new ForwardArguments(to, Packs.Argument(gate, flat), Packs.Argument(up, flat)));
    }

    public void Backward(Tensor dGate, Tensor dUp, Tensor dOutput, Tensor gate, Tensor up)
    {
        bool flat = Packs.CanFlatten(dGate, dUp, dOutput, gate, up);
        var from = Packs.Argument(gate, flat);
        backward.Launch(Packs.Over(from.Rows, from.Columns, Threads), new BackwardArguments(
            Packs.Argument(dGate, flat), Packs.Argument(dUp, flat), Packs.Argument(dOutput, flat), from, Packs.Argument(up, flat)));
    }

    private readonly record struct ForwardArguments(MatrixArgument Output, MatrixArgument Gate, MatrixArgument Up);

    private readonly record struct BackwardArguments(
        MatrixArgument DGate, MatrixArgument DUp, MatrixArgument DOutput, MatrixArgument Gate, MatrixArgument Up);
}
