namespace RepNoise.Host.Tests.Support;

/// <summary>The checkout that the tests were built from.</summary>
internal static class Repository
{
    /// <summary>The folder that holds RepNoise.sln.</summary>
    public static string Root { get; } = Find();

    private static string Find()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "RepNoise.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("RepNoise.sln is in no folder above the tests");
        return folder.FullName;
    }
}
