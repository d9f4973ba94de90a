import software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider;

/** Says which credentials the SDK takes here, and then waits to be looked at. */
public class Main {
    public static void main(String[] arguments) throws InterruptedException {
        try (DefaultCredentialsProvider provider = DefaultCredentialsProvider.builder().build()) {
            System.out.println("picks " + provider.resolveCredentials().accessKeyId());
        } catch (RuntimeException error) {
            System.out.println("fails " + error.getMessage());
        }
        Thread.sleep(Long.MAX_VALUE);
    }
}
