using RepNoise.Kernels.Reference;

namespace RepNoise.Kernels.Tests;

// The conformance suite on the reference devices: the budget is trivially met, guard bands and repeats are not.

public sealed class ReferenceFloat64Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat64Transfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float64);
}

public sealed class ReferenceFloat32Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceFloat32Transfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.Float32);
}

public sealed class ReferenceBFloat16Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}

public sealed class ReferenceBFloat16Transfer : TransferConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [1];

    protected override Device Create(int threads) => ReferenceDevices.Create(NumberFormat.BFloat16);
}
