using ILGPU;

namespace RepNoise.Kernels.Ilgpu.Code;

/// <summary>How two values of a group's threads become one.</summary>
internal interface IGroupOperation<T>
    where T : unmanaged
{
    static abstract T Combine(T first, T second);
}

internal readonly struct FloatSum : IGroupOperation<float>
{
    public static float Combine(float first, float second) => first + second;
}

internal readonly struct DoubleSum : IGroupOperation<double>
{
    public static double Combine(double first, double second) => first + second;
}

internal readonly struct FloatMax : IGroupOperation<float>
{
    /// <summary>A NaN may be lost: what follows a maximum is a sum that finds it again.</summary>
    public static float Combine(float first, float second) => first >= second ? first : second;
}

/// <summary>
/// One value from all threads of a group, in an order that depends on the group's size alone: sixteen threads combine sixteen
/// interleaved runs, then every thread combines the sixteen. Three barriers, where a tree would take one a level; shuffles and
/// atomics, whose order or support differs between accelerators, are not used.
/// </summary>
internal static class GroupReduce
{
    /// <summary>Most threads of a group that reduces.</summary>
    public const int MaxThreads = 256;

    private const int Runs = 16;

    /// <param name="scratch">Shared memory of <see cref="MaxThreads"/> values; free again on return.</param>
    /// <param name="value">This thread's value; all threads of the group must call. Groups have a multiple of 16 threads.</param>
    public static T All<T, TOperation>(ArrayView<T> scratch, T value)
        where T : unmanaged
        where TOperation : struct, IGroupOperation<T>
    {
        int thread = Group.IdxX;
        scratch[thread] = value;
        Group.Barrier();
        if (thread < Runs)
        {
            T run = value;
            for (int i = thread + Runs; i < Group.DimX; i += Runs) run = TOperation.Combine(run, scratch[i]);
            scratch[thread] = run;
        }

        Group.Barrier();
        T total = scratch[0];
        for (int i = 1; i < Runs; i++) total = TOperation.Combine(total, scratch[i]);
        Group.Barrier();
        return total;
    }
}
