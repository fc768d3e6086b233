namespace RepNoise.Kernels.Tests;

// The conformance suite on the cpu device: the variants it chooses by itself and those by tile registers, for 1, 2, 3 and 7 threads, then every narrower
// one forced. A variant that this machine cannot run is skipped by name, never silently.

public sealed class CpuEmbedding : EmbeddingConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuNorm : NormConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuMatmul : MatmulConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuRotary : RotaryConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuAttention : AttentionConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuSwiglu : SwigluConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuLinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuMmdGaussian : MmdGaussianConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuAdamW : AdamWConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuElementwise : ElementwiseConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuTransfer : TransferConformance
{
    protected override Device Create(int threads) => CpuVariants.Create(threads);
}

public sealed class CpuTiledMatmul : MatmulConformance
{
    protected override Device Create(int threads) => CpuVariants.CreateTiled(threads);
}

public sealed class CpuTiledLinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override Device Create(int threads) => CpuVariants.CreateTiled(threads);
}

public sealed class Cpu512Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu512Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 512);
}

public sealed class Cpu256Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu256Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 256);
}

public sealed class Cpu128Embedding : EmbeddingConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128Norm : NormConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128Matmul : MatmulConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128Rotary : RotaryConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128Attention : AttentionConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128Swiglu : SwigluConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128LinearCrossEntropy : LinearCrossEntropyConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128MmdGaussian : MmdGaussianConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128AdamW : AdamWConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}

public sealed class Cpu128Elementwise : ElementwiseConformance
{
    protected override IReadOnlyList<int> ThreadCounts => [2];

    protected override Device Create(int threads) => CpuVariants.Create(threads, 128);
}
